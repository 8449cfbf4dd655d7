#include "libimage/oci/json_value.h"

#include <algorithm>
#include <array>

#include <nlohmann/json.hpp>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/oci/document.h"
#include "libimage/oci/json_text.h"

namespace lade::oci::json {
namespace {

/// A name that occurs more than once in `members`.
std::optional<std::string_view> duplicate_in(const Object& members) {
  if (members.size() < 2) return std::nullopt;
  std::vector<std::string_view> names;
  names.reserve(members.size());
  for (const auto& [name, value] : members) names.push_back(name);
  std::sort(names.begin(), names.end());
  const auto twice = std::adjacent_find(names.begin(), names.end());
  if (twice == names.end()) return std::nullopt;
  return *twice;
}

/// Builds the tree from the parser's events. The parser keeps its own stack on the heap, so the
/// depth limit here comes before any recursion (writing, destruction) over the tree.
class TreeBuilder final : public nlohmann::json_sax<nlohmann::json> {
 public:
  Value take() { return std::move(root_); }

  bool null() override { return add(nullptr); }
  bool boolean(bool value) override { return add(value); }
  bool number_integer(number_integer_t value) override { return add(Number{cat(value)}); }
  bool number_unsigned(number_unsigned_t value) override { return add(Number{cat(value)}); }
  bool number_float(number_float_t /*value*/, const string_t& spelling) override {
    return add(Number{spelling});
  }
  bool string(string_t& value) override { return add(std::move(value)); }
  bool binary(binary_t& /*value*/) override { return false; }
  bool start_object(std::size_t /*elements*/) override { return open(Object{}); }
  bool start_array(std::size_t /*elements*/) override { return open(Array{}); }
  bool key(string_t& name) override {
    open_.back()->as<Object>()->emplace_back(std::move(name), Value{});
    return true;
  }
  bool end_object() override {
    if (const auto twice = duplicate_in(*open_.back()->as<Object>())) {
      throw Error(Errc::invalid_content,
                  cat(path_of_open(), "member ", quoted(twice->substr(0, 100)),
                      " occurs twice in one object"));
    }
    open_.pop_back();
    return true;
  }
  bool end_array() override {
    open_.pop_back();
    return true;
  }
  bool parse_error(std::size_t position, const std::string& /*last_token*/,
                   const nlohmann::json::exception& /*cause*/) override {
    throw Error(Errc::invalid_content, cat("not valid JSON at byte ", position));
  }

 private:
  template <typename T>
  Value* place(T&& content) {
    if (++count_ > kMaxJsonValues) {
      throw Error(Errc::limit_exceeded, cat("more than ", kMaxJsonValues, " JSON values"));
    }
    Value* slot = &root_;
    if (!open_.empty()) {
      if (auto* items = open_.back()->as<Array>()) {
        slot = &items->emplace_back();
      } else {
        slot = &open_.back()->as<Object>()->back().second;  // key() made it
      }
    }
    slot->content = std::forward<T>(content);
    return slot;
  }
  template <typename T>
  bool add(T&& content) {
    place(std::forward<T>(content));
    return true;
  }
  template <typename T>
  bool open(T&& container) {
    if (open_.size() >= kMaxJsonDepth) {
      throw Error(Errc::limit_exceeded, cat("JSON nested deeper than ", kMaxJsonDepth, " levels"));
    }
    // The pointer stays good: a container's siblings are added only after it is closed.
    open_.push_back(place(std::forward<T>(container)));
    return true;
  }

  /// Path of the innermost open container and ": "; empty for the document. Its ancestors' last
  /// children lead to it.
  [[nodiscard]] std::string path_of_open() const {
    std::string path;
    for (std::size_t i = 0; i + 1 < open_.size(); ++i) {
      if (const auto* items = open_[i]->as<Array>()) {
        path += cat("[", items->size() - 1, "]");
      } else {
        if (!path.empty()) path += '.';
        path += printable(open_[i]->as<Object>()->back().first.substr(0, 100));
      }
    }
    return path.empty() ? path : path + ": ";
  }

  Value root_;
  std::vector<Value*> open_;
  std::size_t count_ = 0;
};

std::string_view escape_of(char c) {
  switch (c) {
    case '"':
      return "\\\"";
    case '\\':
      return "\\\\";
    case '\b':
      return "\\b";
    case '\f':
      return "\\f";
    case '\n':
      return "\\n";
    case '\r':
      return "\\r";
    case '\t':
      return "\\t";
    default:
      return {};
  }
}

void append_line(std::string& out, std::size_t blanks) {
  out += '\n';
  out.append(blanks, ' ');
}

/// Appends what is neither array nor object.
void append_scalar(std::string& out, const Value& value) {
  if (const auto* text = std::get_if<std::string>(&value.content)) {
    append_string(out, *text);
  } else if (const auto* number = std::get_if<Number>(&value.content)) {
    out += number->spelling;
  } else if (const auto* truth = std::get_if<bool>(&value.content)) {
    out += *truth ? "true" : "false";
  } else {
    out += "null";
  }
}

}  // namespace

std::string_view Value::kind() const noexcept {
  constexpr std::array<std::string_view, 6> kNames = {"null",     "a boolean", "a number",
                                                      "a string", "an array",  "an object"};
  return kNames[content.index()];
}

Value parse(std::string_view text, std::uint64_t max_bytes) {
  if (text.size() > max_bytes) {
    throw Error(Errc::limit_exceeded, cat(text.size(), " bytes, more than the ", max_bytes,
                                          " that are read of such a document"));
  }
  if (!is_utf8(text)) throw Error(Errc::invalid_content, "not UTF-8");
  // The parser takes a byte 0 for the end of the text and skips a byte order mark; neither is JSON.
  if (text.find('\0') != std::string_view::npos || text.starts_with("\xEF\xBB\xBF")) {
    throw Error(Errc::invalid_content, "not valid JSON: a byte 0 or a byte order mark");
  }
  TreeBuilder builder;
  if (!nlohmann::json::sax_parse(text, &builder)) {
    throw Error(Errc::invalid_content, "not valid JSON");
  }
  return builder.take();
}

void append_string(std::string& out, std::string_view text) {
  constexpr std::string_view kHex = "0123456789abcdef";
  out += '"';
  while (!text.empty()) {
    const char c = text.front();
    const auto byte = static_cast<unsigned char>(c);
    if (const std::string_view escape = escape_of(c); !escape.empty()) {
      out += escape;
    } else if (byte < 0x20) {
      out += "\\u00";
      out += kHex[byte >> 4U];
      out += kHex[byte & 0xFU];
    } else if (byte < 0x80) {
      out += c;
    } else {
      std::size_t length = 2;
      while (length <= 4 && length <= text.size() && !is_utf8(text.substr(0, length))) ++length;
      if (length > 4 || length > text.size()) {
        out += "\xEF\xBF\xBD";
        length = 1;
      } else {
        out += text.substr(0, length);
      }
      text.remove_prefix(length);
      continue;
    }
    text.remove_prefix(1);
  }
  out += '"';
}

void append_compact(std::string& out, const Value& value) {
  if (const auto* items = std::get_if<Array>(&value.content)) {
    out += '[';
    for (const Value& item : *items) {
      if (&item != &items->front()) out += ',';
      append_compact(out, item);
    }
    out += ']';
  } else if (const auto* members = std::get_if<Object>(&value.content)) {
    out += '{';
    for (const auto& member : *members) {
      if (&member != &members->front()) out += ',';
      append_string(out, member.first);
      out += ':';
      append_compact(out, member.second);
    }
    out += '}';
  } else {
    append_scalar(out, value);
  }
}

void append_pretty(std::string& out, const Value& value, std::size_t spaces, std::size_t level) {
  const auto* items = std::get_if<Array>(&value.content);
  const auto* members = std::get_if<Object>(&value.content);
  if ((items == nullptr || items->empty()) && (members == nullptr || members->empty())) {
    append_compact(out, value);
    return;
  }
  const std::size_t inner = spaces * (level + 1);
  if (items != nullptr) {
    for (const Value& item : *items) {
      out += &item == &items->front() ? '[' : ',';
      append_line(out, inner);
      append_pretty(out, item, spaces, level + 1);
    }
    append_line(out, spaces * level);
    out += ']';
    return;
  }
  for (const auto& member : *members) {
    out += &member == &members->front() ? '{' : ',';
    append_line(out, inner);
    append_string(out, member.first);
    out += ": ";
    append_pretty(out, member.second, spaces, level + 1);
  }
  append_line(out, spaces * level);
  out += '}';
}

}  // namespace lade::oci::json

namespace lade::oci {

std::string json_string(std::string_view text) {
  std::string out;
  json::append_string(out, text);
  return out;
}

std::string pretty_json(std::string_view json, int spaces) {
  std::string out;
  json::append_pretty(out, json::parse(json, json.size()),
                      static_cast<std::size_t>(spaces < 0 ? 0 : spaces));
  return out;
}

}  // namespace lade::oci
