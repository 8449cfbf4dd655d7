#include <algorithm>
#include <array>

#include "libimage/base/text.h"
#include "libimage/oci/document.h"
#include "libimage/oci/json_text.h"
#include "libimage/oci/json_value.h"

namespace lade::oci {
namespace {

using json::Value;

/// True if YAML reads `text` without quotes as that text: in any schema, 1.1's booleans included.
bool is_plain(std::string_view text) {
  constexpr std::array<std::string_view, 9> kWords = {"true", "false", "null", "yes", "no",
                                                      "on",   "off",   "y",    "n"};
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  if (text.empty() || !(letter(text.front()) || text.front() == '/') || text.back() == ':') {
    return false;
  }
  if (std::find(kWords.begin(), kWords.end(), lower_case(text)) != kWords.end()) return false;
  return std::all_of(text.begin(), text.end(), [&](char c) {
    return letter(c) || (c >= '0' && c <= '9') ||
           std::string_view("_./@+-:").find(c) != std::string_view::npos;
  });
}

std::string scalar(std::string_view text) {
  return is_plain(text) ? std::string(text) : json_string(text);
}

/// Writes `value` after what names it: a scalar on the same line, a collection below.
void append(std::string& out, Value& value, std::size_t level) {
  const std::string indent(level * 2, ' ');
  if (auto* object = value.as<json::Object>(); object != nullptr && !object->empty()) {
    bool first = out.ends_with("- ");  // the first member stands behind the dash
    if (!first && !out.empty()) out += '\n';
    for (auto& [name, member] : *object) {
      if (!first) out += indent;
      first = false;
      out += cat(scalar(name), ":");
      append(out, member, level + 1);
    }
    return;
  }
  if (auto* array = value.as<json::Array>(); array != nullptr && !array->empty()) {
    bool first = out.ends_with("- ");
    if (!first && !out.empty()) out += '\n';
    for (Value& item : *array) {
      if (!first) out += indent;
      first = false;
      out += "- ";
      append(out, item, level + 1);
    }
    return;
  }
  if (!out.empty() && out.back() == ':') out += ' ';
  if (const std::string* text = value.as<std::string>()) {
    out += scalar(*text);
  } else {
    json::append_compact(out, value);
  }
  out += '\n';
}

}  // namespace

std::string yaml_text(std::string_view text) {
  Value value = json::parse(text, text.size());
  std::string out;
  append(out, value, 0);
  return out;
}

}  // namespace lade::oci
