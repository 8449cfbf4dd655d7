#include "libimage/oci/json_reader.h"

#include <algorithm>
#include <charconv>

#include "libimage/base/text.h"
#include "libimage/oci/document.h"

namespace lade::oci::json {
namespace {

std::vector<std::string> strings_of(Value& value, const std::string& path) {
  std::vector<std::string> out;
  Array& items = array_of(value, path, kMaxJsonValues);
  out.reserve(items.size());
  for (std::size_t i = 0; i < items.size(); ++i) {
    out.push_back(checked_string(items[i], element(path, i)));
  }
  return out;
}

Object& object_of(Value& value, const std::string& path) {
  auto* object = value.as<Object>();
  if (object == nullptr) fail(path, cat("is ", value.kind(), ", not an object"));
  return *object;
}

/// `name` as a piece of a path: names from outside are made harmless to print.
std::string shown(std::string_view name) { return printable(name.substr(0, 100)); }

}  // namespace

void fail(std::string_view path, std::string_view message) {
  throw Error(Errc::invalid_content,
              path.empty() ? std::string(message) : cat(path, ": ", message));
}

std::string element(std::string_view path, std::size_t index) { return cat(path, "[", index, "]"); }

std::string checked_string(Value& value, const std::string& path) {
  auto* text = value.as<std::string>();
  if (text == nullptr) fail(path, cat("is ", value.kind(), ", not a string"));
  if (text->find('\0') != std::string::npos) fail(path, "holds the character U+0000");
  return std::move(*text);
}

std::int64_t integer_of(Value& value, const std::string& path, std::int64_t low) {
  const Number* number = value.as<Number>();
  if (number == nullptr) fail(path, cat("is ", value.kind(), ", not an integer"));
  const std::string& text = number->spelling;
  std::int64_t result = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), result);
  if (error != std::errc() || stop != text.data() + text.size() || result < low) {
    fail(path, cat("is ", text.substr(0, 40), ", not an integer from ", low, " to 2^63-1"));
  }
  return result;
}

Array& array_of(Value& value, const std::string& path, std::size_t limit) {
  auto* items = value.as<Array>();
  if (items == nullptr) fail(path, cat("is ", value.kind(), ", not an array"));
  if (items->size() > limit) {
    throw Error(Errc::limit_exceeded,
                cat(path, ": has ", items->size(), " items, more than ", limit));
  }
  return *items;
}

ObjectReader::ObjectReader(Value& value, std::string path)
    : members_(object_of(value, path)), taken_(members_.size()), path_(std::move(path)) {}

std::string ObjectReader::path_of(std::string_view name) const {
  return path_.empty() ? shown(name) : cat(path_, ".", shown(name));
}

Value* ObjectReader::take(std::string_view name) {
  for (std::size_t i = 0; i < members_.size(); ++i) {
    if (members_[i].first == name) {
      taken_[i] = true;
      return &members_[i].second;
    }
  }
  return nullptr;
}

Value* ObjectReader::take_set(std::string_view name) {
  Value* value = take(name);
  return value == nullptr || value->is_null() ? nullptr : value;
}

Value& ObjectReader::take_required(std::string_view name) {
  Value* value = take(name);
  if (value == nullptr) fail(path_of(name), "is missing");
  if (value->is_null()) fail(path_of(name), "is null");
  return *value;
}

std::string ObjectReader::string(std::string_view name) {
  Value* value = take_set(name);
  return value == nullptr ? std::string() : checked_string(*value, path_of(name));
}

std::optional<bool> ObjectReader::boolean(std::string_view name) {
  Value* value = take_set(name);
  if (value == nullptr) return std::nullopt;
  const bool* truth = value->as<bool>();
  if (truth == nullptr) fail(path_of(name), cat("is ", value->kind(), ", not a boolean"));
  return *truth;
}

std::int64_t ObjectReader::integer(std::string_view name) {
  Value* value = take_set(name);
  return value == nullptr ? 0 : integer_of(*value, path_of(name), INT64_MIN);
}

std::vector<std::string> ObjectReader::strings(std::string_view name) {
  return optional_strings(name).value_or(std::vector<std::string>());
}

std::optional<std::vector<std::string>> ObjectReader::optional_strings(std::string_view name) {
  Value* value = take_set(name);
  if (value == nullptr) return std::nullopt;
  return strings_of(*value, path_of(name));
}

std::map<std::string, std::string> ObjectReader::string_map(std::string_view name) {
  std::map<std::string, std::string> out;
  Value* value = take_set(name);
  if (value == nullptr) return out;
  const std::string path = path_of(name);
  for (auto& [key, text] : object_of(*value, path)) {
    std::string checked = checked_string(text, cat(path, "[", quoted(shown(key)), "]"));
    out.emplace(key, std::move(checked));
  }
  return out;
}

std::set<std::string> ObjectReader::name_set(std::string_view name) {
  std::set<std::string> out;
  Value* value = take_set(name);
  if (value == nullptr) return out;
  const std::string path = path_of(name);
  for (auto& [key, content] : object_of(*value, path)) {
    if (key.find('\0') != std::string::npos) fail(path, "holds a name with the character U+0000");
    if (!content.is_null()) object_of(content, cat(path, "[", quoted(shown(key)), "]"));
    out.insert(key);
  }
  return out;
}

UnknownMembers ObjectReader::rest(std::initializer_list<std::string_view> known) {
  UnknownMembers unknown;
  for (std::size_t i = 0; i < members_.size(); ++i) {
    if (taken_[i]) continue;
    const auto& [name, value] = members_[i];
    const auto same = [&name = name](std::string_view other) {
      return name.size() == other.size() && lower_case(name) == lower_case(other);
    };
    const auto near = std::find_if(known.begin(), known.end(), same);
    if (near != known.end()) {
      fail(path_of(name), cat("differs from ", quoted(*near), " by upper and lower case only"));
    }
    append_compact(unknown[name], value);
  }
  return unknown;
}

}  // namespace lade::oci::json
