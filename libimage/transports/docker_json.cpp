#include "libimage/transports/docker_json.h"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "libimage/base/error.h"
#include "libimage/base/text.h"

namespace lade::docker {
namespace {

using nlohmann::json;

json parse(std::string_view text) {
  constexpr int kMaxDepth = 32;  // far beyond any of these formats; nesting only attacks parsers
  bool deep = false;
  const auto limit = [&](int depth, json::parse_event_t, json&) {
    deep = deep || depth > kMaxDepth;
    return !deep;
  };
  json document = json::parse(text, limit, /*allow_exceptions=*/false);
  return deep ? json(json::value_t::discarded) : document;
}

std::string text_of(const json& object, const char* name) {
  if (!object.is_object()) return {};
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

std::vector<std::string> parse_names(std::string_view body, const char* member,
                                     std::string_view what) {
  const json document = parse(body);
  if (!document.is_object()) throw Error(Errc::invalid_content, cat(what, " is not JSON"));
  std::vector<std::string> names;
  const auto list = document.find(member);
  if (list == document.end() || list->is_null()) return names;
  if (!list->is_array()) {
    throw Error(Errc::invalid_content, cat(what, ": ", member, " is not a list"));
  }
  for (const json& name : *list) {
    if (name.is_string()) names.push_back(name.get<std::string>());
  }
  return names;
}

}  // namespace

RegistryError parse_errors(std::string_view body) {
  const json document = parse(body);
  if (!document.is_object()) return {};
  const auto errors = document.find("errors");
  if (errors != document.end() && errors->is_array() && !errors->empty()) {
    return {.code = text_of(errors->front(), "code"),
            .message = text_of(errors->front(), "message")};
  }
  // Token servers and gateways have their own forms.
  for (const char* name : {"details", "message", "error_description", "error"}) {
    if (std::string text = text_of(document, name); !text.empty()) return {.message = text};
  }
  return {};
}

TokenAnswer parse_token(std::string_view body) {
  const json document = parse(body);
  TokenAnswer answer{.token = text_of(document, "token")};
  if (answer.token.empty()) answer.token = text_of(document, "access_token");
  const bool printable = std::all_of(answer.token.begin(), answer.token.end(),
                                     [](char c) { return c > 0x20 && c < 0x7F; });
  if (answer.token.empty() || !printable) {
    throw Error(Errc::invalid_content, "the answer has no usable token");
  }
  const auto expires = document.find("expires_in");
  if (expires != document.end() && expires->is_number()) {
    answer.expires_in = static_cast<std::int64_t>(std::clamp(expires->get<double>(), 0.0, 1e9));
  }
  return answer;
}

std::vector<std::string> parse_tags(std::string_view body) {
  return parse_names(body, "tags", "the tag list");
}

std::vector<std::string> parse_repositories(std::string_view body) {
  return parse_names(body, "repositories", "the catalog");
}

}  // namespace lade::docker
