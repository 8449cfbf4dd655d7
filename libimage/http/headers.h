#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lade {

/// Header fields in order; names compare without case, and may occur more than once.
class Headers {
 public:
  struct Field {
    std::string name;
    std::string value;
    bool operator==(const Field&) const = default;
  };

  Headers() = default;
  Headers(std::initializer_list<Field> fields) : fields_(fields) {}

  void add(std::string name, std::string value);
  /// Replaces all fields of that name.
  void set(std::string_view name, std::string value);
  void remove(std::string_view name);

  /// The value of the first field of that name; nullopt if there is none.
  [[nodiscard]] std::optional<std::string_view> first(std::string_view name) const;
  [[nodiscard]] std::vector<std::string_view> all(std::string_view name) const;
  [[nodiscard]] const std::vector<Field>& fields() const noexcept { return fields_; }

  /// The value without parameters, lower case: "application/json" of
  /// "Application/JSON; charset=utf-8"; "" if absent.
  [[nodiscard]] std::string content_type() const;

 private:
  std::vector<Field> fields_;
};

/// True if both names are the same header.
bool same_header(std::string_view left, std::string_view right) noexcept;

}  // namespace lade
