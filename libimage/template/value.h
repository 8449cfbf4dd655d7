/// The data that a template works on: JSON-like values with what Go's templates show of their
/// types (the difference between a map, whose missing keys print "<no value>", and a record, whose
/// missing fields are errors; nil lists; times).
#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "libimage/base/timestamp.h"

namespace lade::templates {

struct ValueList;
struct ValueMap;
struct ValueRecord;

/// One value; cheap to copy (composites are shared and immutable).
class Value {
 public:
  /// Go's nil; `type` is "" for an untyped one (JSON null), else the pointer's ("*time.Time").
  struct Nil {
    std::string type = {};
    bool operator==(const Nil&) const = default;
  };

  Value() = default;  ///< no value at all: what a map answers for a key that it lacks
  static Value nil(std::string type = {});
  static Value of(bool value);
  static Value of(std::int64_t value);
  static Value of(double value);
  static Value of(std::string value);
  static Value of(Timestamp time);
  static Value of(ValueList list);
  static Value of(ValueMap map);
  static Value of(ValueRecord record);
  /// A list of strings (Go's []string).
  static Value of(const std::vector<std::string>& texts);
  /// A map of strings (map[string]string).
  static Value of(const std::map<std::string, std::string>& texts);

  template <typename T>
  [[nodiscard]] const T* as() const noexcept {
    return std::get_if<T>(&content_);
  }
  [[nodiscard]] const ValueList* list() const noexcept;
  [[nodiscard]] const ValueMap* map() const noexcept;
  [[nodiscard]] const ValueRecord* record() const noexcept;
  [[nodiscard]] const std::string* text() const noexcept { return as<std::string>(); }

  /// True for the absent value, and for untyped nil.
  [[nodiscard]] bool is_missing() const noexcept {
    return std::holds_alternative<std::monostate>(content_);
  }
  [[nodiscard]] bool is_nil() const noexcept { return as<Nil>() != nullptr; }

  /// What `if` takes for true: not false, 0, "", nil or empty.
  [[nodiscard]] bool truth() const noexcept;

  /// How Go calls the type: "string", "int", "map[string]interface {}", "interface {}" for what was
  /// taken from a container of anything.
  [[nodiscard]] std::string type_name() const;

  /// A copy that remembers, or forgets, that it was taken from a container of anything.
  [[nodiscard]] Value boxed() const;
  [[nodiscard]] Value unboxed() const;
  [[nodiscard]] bool is_boxed() const noexcept { return boxed_; }

 private:
  using Content = std::variant<std::monostate, Nil, bool, std::int64_t, double, std::string,
                               Timestamp, std::shared_ptr<const ValueList>,
                               std::shared_ptr<const ValueMap>, std::shared_ptr<const ValueRecord>>;
  explicit Value(Content content) : content_(std::move(content)) {}
  Content content_ = {};
  bool boxed_ = false;
};

inline constexpr std::string_view kAnyType = "interface {}";

/// A slice.
struct ValueList {
  std::vector<Value> items = {};
  std::string element_type = std::string(kAnyType);
  bool is_nil = false;  ///< JSON null; an empty slice is []
};

/// A map from strings; Go prints and ranges over it in the order of its keys.
struct ValueMap {
  std::map<std::string, Value, std::less<>> entries = {};
  std::string element_type = std::string(kAnyType);
  bool is_nil = false;
};

/// A struct: its fields keep their order in JSON.
struct ValueRecord {
  struct Field {
    std::string name;            ///< as templates spell it
    std::string json_name = {};  ///< "": as `name`
    Value value = {};
    bool omit_empty = false;  ///< left out of JSON where it is false, 0, "", nil or empty
  };
  std::string type;  ///< "inspect.Output": for messages
  std::vector<Field> fields = {};
  [[nodiscard]] const Field* find(std::string_view name) const noexcept;
};

/// As fmt.Sprint prints one value (the verb %v): "map[a:1 b:2]", "[x y]", "<nil>".
std::string print_value(const Value& value);

/// Largest JSON text, and deepest nesting, that from_json() reads.
inline constexpr std::size_t kMaxJsonBytes = std::size_t{64} * 1024 * 1024;
inline constexpr std::size_t kMaxValueDepth = 128;

/// Objects become maps, whole numbers integers. Error{invalid_content}: not JSON.
/// Error{limit_exceeded}: too large, or nested too deeply.
Value from_json(std::string_view json);

struct JsonStyle {
  std::size_t indent = 0;    ///< blanks a level; 0: all in one line, without blanks
  bool escape_html = false;  ///< <, > and & as \u003c, as Go's encoder does by default
};

/// As Go's encoder writes it. Values nested deeper than kMaxValueDepth: Error{limit_exceeded}.
std::string to_json(const Value& value, const JsonStyle& style = {});

}  // namespace lade::templates
