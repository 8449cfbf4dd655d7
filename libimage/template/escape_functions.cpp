// html, js, urlquery: text made safe for other languages.
#include "libimage/template/function_groups.h"

namespace lade::templates {
namespace {

using Values = std::vector<Value>;

/// The arguments as one text: a single string as it is, else as print does.
std::string joined_text(const Values& arguments) {
  if (arguments.size() == 1 && arguments.front().text() != nullptr)
    return *arguments.front().text();
  return print_plain(arguments);
}

template <typename Replace>
std::string escaped(const std::string& text, const Replace& replace) {
  std::string out;
  for (const char c : text) {
    const std::string_view replacement = replace(c);
    if (replacement.empty()) {
      out += c;
    } else {
      out += replacement;
    }
  }
  return out;
}

}  // namespace

Value html(const Values& arguments, const CallContext& /*context*/) {
  return Value::of(escaped(joined_text(arguments), [](char c) -> std::string_view {
    switch (c) {
      case '\0':
        return "\xEF\xBF\xBD";
      case '"':
        return "&#34;";
      case '\'':
        return "&#39;";
      case '&':
        return "&amp;";
      case '<':
        return "&lt;";
      case '>':
        return "&gt;";
      default:
        return {};
    }
  }));
}

Value js(const Values& arguments, const CallContext& /*context*/) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string out;
  for (const char c : joined_text(arguments)) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '\\' || c == '\'' || c == '"') {
      out += '\\';
      out += c;
    } else if (byte < ' ' || c == '<' || c == '>' || c == '&' || c == '=') {
      out += "\\u00";
      out += kDigits[byte >> 4U];
      out += kDigits[byte & 0xFU];
    } else {
      out += c;
    }
  }
  return Value::of(out);
}

Value urlquery(const Values& arguments, const CallContext& /*context*/) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  constexpr std::string_view kKept = "-_.~";
  std::string out;
  for (const char c : joined_text(arguments)) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                       kKept.find(c) != std::string_view::npos;
    if (plain) {
      out += c;
    } else if (c == ' ') {
      out += '+';
    } else {
      out += '%';
      out += kDigits[byte >> 4U];
      out += kDigits[byte & 0xFU];
    }
  }
  return Value::of(out);
}

}  // namespace lade::templates
