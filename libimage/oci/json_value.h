/// JSON as this module reads it: a small tree that keeps the order of members and the spelling of
/// numbers, so that what is not understood is written back as it was. Internal to libimage/oci,
/// libimage/runtime and libimage/validate.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace lade::oci::json {

/// A number as the document spells it.
struct Number {
  std::string spelling;
  bool operator==(const Number&) const = default;
};

struct Value;
using Array = std::vector<Value>;
using Object = std::vector<std::pair<std::string, Value>>;

struct Value {
  std::variant<std::nullptr_t, bool, Number, std::string, Array, Object> content = nullptr;

  [[nodiscard]] bool is_null() const noexcept {
    return std::holds_alternative<std::nullptr_t>(content);
  }
  template <typename T>
  [[nodiscard]] T* as() noexcept {
    return std::get_if<T>(&content);
  }
  /// "an object", "a string"...: for messages.
  [[nodiscard]] std::string_view kind() const noexcept;
};

/// Reads I-JSON (RFC 7493). Error{invalid_content}: not JSON, not UTF-8, a member name twice in one
/// object. Error{limit_exceeded}: more than `max_bytes`, kMaxJsonDepth or kMaxJsonValues. The depth
/// is checked before anything recursive exists.
Value parse(std::string_view text, std::uint64_t max_bytes);

/// More values than the largest honest document has; bounds the tree's memory to some 40 MiB.
inline constexpr std::size_t kMaxJsonValues = 500'000;

/// Appends `text` as a JSON string literal; bytes that are not UTF-8 become U+FFFD.
void append_string(std::string& out, std::string_view text);

/// Appends `value` without blanks.
void append_compact(std::string& out, const Value& value);

/// Appends `value` with each member on its own line, indented by `spaces` for each level.
void append_pretty(std::string& out, const Value& value, std::size_t spaces, std::size_t level = 0);

}  // namespace lade::oci::json
