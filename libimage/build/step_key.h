#pragma once
#include <string>
#include <string_view>

#include "libimage/base/text.h"
#include "libimage/digest/hasher.h"

namespace lade::build {

/// A cache key in the making: fields with their lengths, so that no two lists of fields are the
/// same bytes.
class StepKey {
 public:
  explicit StepKey(std::string_view kind) {
    add("lade step 1");  // the rules' version: a change of what a key covers is a new number
    add(kind);
  }
  StepKey& add(std::string_view field) {
    hasher_.update(cat(field.size(), ":"));
    hasher_.update(field);
    return *this;
  }
  template <typename Range>
  StepKey& add_all(const Range& fields) {
    add(cat(fields.size()));
    for (const std::string& field : fields) add(field);
    return *this;
  }
  /// 64 hex digits.
  [[nodiscard]] std::string str() const { return std::string(hasher_.digest().encoded()); }

 private:
  Hasher hasher_;
};

}  // namespace lade::build
