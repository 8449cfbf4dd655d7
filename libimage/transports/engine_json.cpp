#include "libimage/transports/engine_json.h"

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/oci/json_reader.h"

namespace lade::engine {
namespace {

namespace json = oci::json;

constexpr std::uint64_t kMaxLineBytes = std::uint64_t{1024} * 1024;
constexpr std::size_t kShownBytes = 200;

/// The text member `name` of `value`; "" if there is none.
std::string text_of(json::Value& value, std::string_view name) {
  auto* members = value.as<json::Object>();
  if (members == nullptr) return {};
  for (auto& [key, member] : *members) {
    const auto* text = member.as<std::string>();
    if (key == name && text != nullptr) return *text;
  }
  return {};
}

json::Value* member_of(json::Value& value, std::string_view name) {
  auto* members = value.as<json::Object>();
  if (members == nullptr) return nullptr;
  for (auto& [key, member] : *members) {
    if (key == name) return &member;
  }
  return nullptr;
}

}  // namespace

std::string parse_message(std::string_view body) {
  try {
    json::Value document = json::parse(body, kMaxLineBytes);
    if (std::string text = text_of(document, "message"); !text.empty()) return printable(text);
  } catch (const Error&) {
    return printable(trimmed(body).substr(0, kShownBytes));
  }
  return printable(trimmed(body).substr(0, kShownBytes));
}

std::string parse_load_failure(std::string_view body) {
  for (const std::string_view line : split(body, '\n')) {
    if (trimmed(line).empty()) continue;
    json::Value value = json::parse(trimmed(line), kMaxLineBytes);
    if (value.as<json::Object>() == nullptr) {
      throw Error(Errc::invalid_content, "the answer to a load is not a list of objects");
    }
    if (json::Value* detail = member_of(value, "errorDetail")) {
      const std::string text = text_of(*detail, "message");
      return text.empty() ? "unknown error" : printable(text);
    }
    if (json::Value* error = member_of(value, "error"); error != nullptr && !error->is_null()) {
      const std::string text = text_of(value, "error");
      return text.empty() ? "unknown error" : printable(text);
    }
  }
  return {};
}

}  // namespace lade::engine
