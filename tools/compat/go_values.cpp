#include "tools/compat/go_values.h"

#include "libimage/base/timestamp.h"

namespace lade::tools::compat {

using templates::Value;
using templates::ValueList;
using templates::ValueMap;

Value text(const std::string& value) { return Value::of(value); }

Value texts(const std::vector<std::string>& values) {
  return values.empty()
             ? Value::of(ValueList{.items = {}, .element_type = "string", .is_nil = true})
             : Value::of(values);
}

Value labels(const std::map<std::string, std::string>& values) {
  return values.empty()
             ? Value::of(ValueMap{.entries = {}, .element_type = "string", .is_nil = true})
             : Value::of(values);
}

Value time(const std::string& spelled) {
  const auto parsed = parse_rfc3339(spelled);
  return parsed ? Value::of(*parsed) : Value::nil("*time.Time");
}

}  // namespace lade::tools::compat
