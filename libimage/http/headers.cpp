#include "libimage/http/headers.h"

#include <algorithm>

#include "libimage/base/error.h"
#include "libimage/base/text.h"

namespace lade {
namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

// A line break in a value would be a second header: never let one through.
void check(std::string_view name, std::string_view value) {
  const auto broken = [](char c) { return c == '\r' || c == '\n' || c == '\0'; };
  if (std::any_of(name.begin(), name.end(), broken) ||
      std::any_of(value.begin(), value.end(), broken)) {
    throw Error(Errc::invalid_argument, cat("header ", quoted(name), " holds a line break"));
  }
}

}  // namespace

bool same_header(std::string_view left, std::string_view right) noexcept {
  return std::equal(left.begin(), left.end(), right.begin(), right.end(),
                    [](char a, char b) { return lower(a) == lower(b); });
}

void Headers::add(std::string name, std::string value) {
  check(name, value);
  fields_.push_back({std::move(name), std::move(value)});
}

void Headers::set(std::string_view name, std::string value) {
  check(name, value);
  remove(name);
  fields_.push_back({std::string(name), std::move(value)});
}

void Headers::remove(std::string_view name) {
  std::erase_if(fields_, [&](const Field& field) { return same_header(field.name, name); });
}

std::optional<std::string_view> Headers::first(std::string_view name) const {
  for (const Field& field : fields_) {
    if (same_header(field.name, name)) return field.value;
  }
  return std::nullopt;
}

std::vector<std::string_view> Headers::all(std::string_view name) const {
  std::vector<std::string_view> values;
  for (const Field& field : fields_) {
    if (same_header(field.name, name)) values.emplace_back(field.value);
  }
  return values;
}

std::string Headers::content_type() const {
  const std::string_view value = first("content-type").value_or("");
  return lower_case(trimmed(value.substr(0, value.find(';'))));
}

}  // namespace lade
