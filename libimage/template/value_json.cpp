#include <nlohmann/json.hpp>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/template/go_text.h"
#include "libimage/template/value.h"

namespace lade::templates {
namespace {

using nlohmann::json;

Value converted(const json& document) {
  switch (document.type()) {
    case json::value_t::boolean:
      return Value::of(document.get<bool>());
    case json::value_t::number_integer:
    case json::value_t::number_unsigned:
      if (document.is_number_unsigned() && document.get<std::uint64_t>() > INT64_MAX)
        return Value::of(document.get<double>());
      return Value::of(document.get<std::int64_t>());
    case json::value_t::number_float:
      return Value::of(document.get<double>());
    case json::value_t::string:
      return Value::of(document.get<std::string>());
    case json::value_t::array: {
      ValueList list;
      for (const json& item : document) list.items.push_back(converted(item));
      return Value::of(std::move(list));
    }
    case json::value_t::object: {
      ValueMap map;
      for (const auto& [key, item] : document.items()) map.entries.emplace(key, converted(item));
      return Value::of(std::move(map));
    }
    default:
      return Value::nil();
  }
}

class Writer {
 public:
  Writer(std::string& out, const JsonStyle& style) : out_(out), style_(style) {}

  void write(const Value& value, std::size_t depth) {
    if (depth > kMaxValueDepth) throw Error(Errc::limit_exceeded, "value is nested too deeply");
    if (const auto* text = value.text()) {
      string(*text);
    } else if (const auto* boolean = value.as<bool>()) {
      out_ += *boolean ? "true" : "false";
    } else if (const auto* integer = value.as<std::int64_t>()) {
      out_ += cat(*integer);
    } else if (const auto* real = value.as<double>()) {
      out_ += go_json_float(*real);
    } else if (const auto* time = value.as<Timestamp>()) {
      string(to_rfc3339(*time));
    } else if (!composite(value, depth)) {
      out_ += "null";
    }
  }

 private:
  bool composite(const Value& value, std::size_t depth) {
    if (const auto* list = value.list()) {
      if (list->is_nil) return false;
      begin('[');
      for (const Value& item : list->items) {
        next(depth);
        write(item, depth + 1);
      }
      end(']', depth);
    } else if (const auto* map = value.map()) {
      if (map->is_nil) return false;
      begin('{');
      for (const auto& [key, item] : map->entries) member(key, item, depth);
      end('}', depth);
    } else if (const auto* record = value.record()) {
      begin('{');
      for (const auto& field : record->fields) {
        if (field.omit_empty && !field.value.truth()) continue;
        member(field.json_name.empty() ? field.name : field.json_name, field.value, depth);
      }
      end('}', depth);
    } else {
      return false;
    }
    return true;
  }

  void begin(char bracket) {
    out_ += bracket;
    first_ = true;
  }

  void next(std::size_t depth) {
    if (!first_) out_ += ',';
    first_ = false;
    new_line(depth + 1);
  }

  void end(char bracket, std::size_t depth) {
    if (!first_) new_line(depth);
    first_ = false;
    out_ += bracket;
  }

  void member(const std::string& name, const Value& value, std::size_t depth) {
    next(depth);
    string(name);
    out_ += style_.indent == 0 ? ":" : ": ";
    write(value, depth + 1);
  }

  void new_line(std::size_t depth) {
    if (style_.indent == 0) return;
    out_ += '\n';
    out_.append(depth * style_.indent, ' ');
  }

  void string(std::string_view text) {
    out_ += '"';
    while (!text.empty()) {
      char32_t rune = 0;
      const std::size_t length = decode_rune(text, rune);
      rune_in_string(rune, text.substr(0, length));
      text.remove_prefix(length);
    }
    out_ += '"';
  }

  void rune_in_string(char32_t rune, std::string_view spelling) {
    constexpr char32_t kReplacement = 0xFFFD;
    const bool html = style_.escape_html && (rune == '<' || rune == '>' || rune == '&');
    if (rune == '"' || rune == '\\') {
      out_ += '\\';
      out_ += static_cast<char>(rune);
    } else if (rune == kReplacement && spelling.size() == 1) {
      out_ += "\\ufffd";
    } else if (rune == '\n' || rune == '\r' || rune == '\t' || rune == '\b' || rune == '\f') {
      out_ += go_quote(spelling).substr(1, 2);
    } else if (rune < ' ' || html || rune == 0x2028 || rune == 0x2029) {
      constexpr std::string_view kDigits = "0123456789abcdef";
      out_ += "\\u";
      for (unsigned shift = 16; shift != 0;) {
        shift -= 4;
        out_ += kDigits[(rune >> shift) & 0xFU];
      }
    } else {
      out_ += spelling;
    }
  }

  std::string& out_;
  const JsonStyle& style_;
  bool first_ = true;
};

}  // namespace

Value from_json(std::string_view text) {
  if (text.size() > kMaxJsonBytes) {
    throw Error(Errc::limit_exceeded,
                cat("JSON of ", text.size(), " bytes; the limit is ", kMaxJsonBytes));
  }
  const json::parser_callback_t bounded = [](int depth, json::parse_event_t, const json&) {
    if (static_cast<std::size_t>(depth) > kMaxValueDepth)
      throw Error(Errc::limit_exceeded, "JSON is nested too deeply");
    return true;
  };
  try {
    return converted(json::parse(text, bounded));
  } catch (const json::exception&) {
    throw Error(Errc::invalid_content, "not JSON");
  }
}

std::string to_json(const Value& value, const JsonStyle& style) {
  std::string out;
  Writer(out, style).write(value, 0);
  return out;
}

}  // namespace lade::templates
