/// Reads members of a JSON object by name, knowing the path of each for messages. Internal to
/// libimage/oci and libimage/runtime.
#pragma once
#include <initializer_list>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "libimage/base/error.h"
#include "libimage/oci/descriptor.h"
#include "libimage/oci/json_value.h"

namespace lade::oci::json {

/// Error{invalid_content} "path: message"; without the path if it is empty.
[[noreturn]] void fail(std::string_view path, std::string_view message);

/// "path[index]"
std::string element(std::string_view path, std::size_t index);

/// Checks a string that means something here: U+0000 would cut it short in the kernel and in C.
std::string checked_string(Value& value, const std::string& path);

/// The object's members, each taken at most once; what nobody took is unknown and is kept.
class ObjectReader {
 public:
  /// Error{invalid_content} unless `value` is an object. `path` names it: "" for the document.
  ObjectReader(Value& value, std::string path);

  /// The member; nullptr if it is absent. A null member counts as absent for take_set().
  Value* take(std::string_view name);
  Value* take_set(std::string_view name);
  /// The member; Error{invalid_content} if it is absent or null.
  Value& take_required(std::string_view name);

  // Each of these reads a null or absent member as the empty value.
  std::string string(std::string_view name);
  std::optional<bool> boolean(std::string_view name);
  std::int64_t integer(std::string_view name);  ///< 0 if absent; fractions are refused
  std::vector<std::string> strings(std::string_view name);
  std::optional<std::vector<std::string>> optional_strings(std::string_view name);
  std::map<std::string, std::string> string_map(std::string_view name);
  std::set<std::string> name_set(std::string_view name);  ///< the names of an object of objects

  /// Everything not taken. A name that differs from a taken or a `known` one by case only is
  /// refused: other programs would read it as that member.
  UnknownMembers rest(std::initializer_list<std::string_view> known);

  /// "path.name"
  [[nodiscard]] std::string path_of(std::string_view name) const;
  [[nodiscard]] const Object& members() const noexcept { return members_; }
  [[nodiscard]] const std::string& path() const noexcept { return path_; }

 private:
  Object& members_;
  std::vector<bool> taken_;
  std::string path_;
};

/// An integer from `low` to the largest int64; Error{invalid_content} for anything else, fractions
/// and exponents included.
std::int64_t integer_of(Value& value, const std::string& path, std::int64_t low);

/// Array of at most `limit` items; Error{invalid_content, limit_exceeded}.
Array& array_of(Value& value, const std::string& path, std::size_t limit);

}  // namespace lade::oci::json
