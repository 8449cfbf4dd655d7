#include "libimage/transports/docker_json.h"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "libimage/base/error.h"

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
  const json document = parse(body);
  if (!document.is_object()) throw Error(Errc::invalid_content, "the tag list is not JSON");
  std::vector<std::string> tags;
  const auto list = document.find("tags");
  if (list == document.end() || list->is_null()) return tags;
  if (!list->is_array()) throw Error(Errc::invalid_content, "tags is not a list");
  for (const json& tag : *list) {
    if (tag.is_string()) tags.push_back(tag.get<std::string>());
  }
  return tags;
}

}  // namespace lade::docker
