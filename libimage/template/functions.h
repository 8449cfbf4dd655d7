/// The functions that templates may call: Go's own and those of docker and podman. Internal to
/// libimage/template.
#pragma once
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "libimage/template/value.h"

namespace lade::templates {

/// What a parameter takes.
enum class Param {
  value,      ///< anything, nothing at all included (Go's reflect.Value)
  anything,   ///< anything; nothing counts as nil (interface {})
  text,       ///< string
  integer,    ///< int
  text_list,  ///< []string
};

/// How Go calls the parameter's type.
std::string_view type_of(Param param) noexcept;

struct CallContext {
  std::size_t max_bytes = 0;  ///< of one result
};

struct Function {
  std::string_view name;
  std::span<const Param> fixed = {};
  const Param* variadic = nullptr;  ///< any number more of these
  /// Throws FunctionError. Not called for `and` and `or`, which evaluate as few arguments as they
  /// need, nor for `call`.
  Value (*call)(const std::vector<Value>&, const CallContext&) = nullptr;
};

/// Why a function failed; the executor says where.
class FunctionError final : public std::exception {
 public:
  explicit FunctionError(std::string message) : message_(std::move(message)) {}
  [[nodiscard]] const char* what() const noexcept override { return message_.c_str(); }

 private:
  std::string message_;
};

/// nullptr if there is none of that name.
const Function* find_function(std::string_view name) noexcept;

/// fmt.Sprintf.
std::string print_formatted(const std::vector<Value>& arguments, const CallContext& context);

/// fmt.Sprint: blanks between values that are both no strings. fmt.Sprintln: between all, and a
/// line end.
std::string print_plain(const std::vector<Value>& arguments);
std::string print_line(const std::vector<Value>& arguments);

}  // namespace lade::templates
