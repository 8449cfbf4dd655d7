// eq, ne, lt, le, gt, ge, not: as Go's templates compare.
#include "libimage/base/text.h"
#include "libimage/template/function_groups.h"

namespace lade::templates {
namespace {

using Values = std::vector<Value>;

[[noreturn]] void fail(std::string message) { throw FunctionError(std::move(message)); }

enum class Basic { none, boolean, integer, real, text };

Basic basic_kind(const Value& value) {
  if (value.as<bool>() != nullptr) return Basic::boolean;
  if (value.as<std::int64_t>() != nullptr) return Basic::integer;
  if (value.as<double>() != nullptr) return Basic::real;
  return value.text() != nullptr ? Basic::text : Basic::none;
}

bool is_nil_like(const Value& value) {
  if (value.is_missing() || value.is_nil()) return true;
  if (const auto* list = value.list()) return list->is_nil;
  if (const auto* map = value.map()) return map->is_nil;
  return false;
}

bool equal_others(const Value& left, const Value& right) {
  if (is_nil_like(left) || is_nil_like(right)) return is_nil_like(left) == is_nil_like(right);
  if (const auto* time = left.as<Timestamp>()) {
    const auto* other = right.as<Timestamp>();
    return other != nullptr && *time == *other;
  }
  fail(cat("non-comparable type ", print_value(right), ": ", right.type_name()));
}

bool equal(const Value& left, const Value& right) {
  const Basic kind = basic_kind(left);
  if (kind != basic_kind(right)) {
    if (!left.is_missing() && !right.is_missing()) {
      fail(
          cat("incompatible types for comparison: ", left.type_name(), " and ", right.type_name()));
    }
    return false;
  }
  switch (kind) {
    case Basic::boolean:
      return *left.as<bool>() == *right.as<bool>();
    case Basic::integer:
      return *left.as<std::int64_t>() == *right.as<std::int64_t>();
    case Basic::real:
      return *left.as<double>() == *right.as<double>();
    case Basic::text:
      return *left.text() == *right.text();
    default:
      return equal_others(left, right);
  }
}

bool less(const Value& left, const Value& right) {
  const Basic kind = basic_kind(left);
  if (kind == Basic::none || basic_kind(right) == Basic::none) fail("invalid type for comparison");
  if (kind != basic_kind(right)) {
    fail(cat("incompatible types for comparison: ", left.type_name(), " and ", right.type_name()));
  }
  switch (kind) {
    case Basic::integer:
      return *left.as<std::int64_t>() < *right.as<std::int64_t>();
    case Basic::real:
      return *left.as<double>() < *right.as<double>();
    case Basic::text:
      return *left.text() < *right.text();
    default:
      fail("invalid type for comparison");
  }
}

bool any_equal(const Values& arguments) {
  if (arguments.size() < 2) fail("missing argument for comparison");
  const Value first = arguments.front().unboxed();
  for (std::size_t i = 1; i < arguments.size(); ++i) {
    if (equal(first, arguments[i].unboxed())) return true;
  }
  return false;
}

bool is_less(const Values& arguments) {
  return less(arguments[0].unboxed(), arguments[1].unboxed());
}

}  // namespace

Value eq(const Values& arguments, const CallContext& /*context*/) {
  return Value::of(any_equal(arguments));
}
Value ne(const Values& arguments, const CallContext& /*context*/) {
  return Value::of(!any_equal(arguments));
}
Value lt(const Values& arguments, const CallContext& /*context*/) {
  return Value::of(is_less(arguments));
}
Value le(const Values& arguments, const CallContext& /*context*/) {
  return Value::of(is_less(arguments) || any_equal(arguments));
}
Value gt(const Values& arguments, const CallContext& /*context*/) {
  return Value::of(!is_less(arguments) && !any_equal(arguments));
}
Value ge(const Values& arguments, const CallContext& /*context*/) {
  return Value::of(!is_less(arguments));
}
Value negation(const Values& arguments, const CallContext& /*context*/) {
  return Value::of(!arguments.front().unboxed().truth());
}

}  // namespace lade::templates
