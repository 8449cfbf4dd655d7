/// Reads members of JSON documents and notes every one that is wrong, instead of the first.
/// Internal to libimage/validate.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "libimage/oci/json_value.h"
#include "libimage/validate/finding.h"

namespace lade::validate {

using oci::json::Array;
using oci::json::Object;
using oci::json::Value;

/// Findings of one document.
class Notes {
 public:
  Notes(std::string place, std::vector<Finding>& out) : place_(std::move(place)), out_(out) {}
  void add(std::string_view rule_id, std::string path, std::string message) const {
    out_.push_back({&rule(rule_id), place_, std::move(path), std::move(message)});
  }

 private:
  std::string place_;
  std::vector<Finding>& out_;
};

/// The member; nullptr if it is absent. A null one is there.
Value* member(Object& object, std::string_view name);

std::string below(std::string_view path, std::string_view name);  ///< "path.name"
std::string item(std::string_view path, std::size_t index);       ///< "path[index]"

/// The member as an object, array or text; nullptr, noted under `rule_id`, if it is something else.
/// An absent one is nullptr without a note.
Object* object_member(Object& in, std::string_view name, const std::string& path,
                      std::string_view rule_id, const Notes& notes);
Array* array_member(Object& in, std::string_view name, const std::string& path,
                    std::string_view rule_id, const Notes& notes);
const std::string* text_member(Object& in, std::string_view name, const std::string& path,
                               std::string_view rule_id, const Notes& notes);

enum class Null { refused, allowed };
/// A list of strings, if it is there.
void check_texts(Object& in, std::string_view name, const std::string& path,
                 std::string_view rule_id, Null null, const Notes& notes);
/// An object of strings, if it is there.
void check_text_map(Object& in, std::string_view name, const std::string& path,
                    std::string_view rule_id, Null null, const Notes& notes);
/// An object of objects, if it is there.
void check_name_set(Object& in, std::string_view name, const std::string& path,
                    std::string_view rule_id, Null null, const Notes& notes);

/// "is missing" for a member that must be there; true if it is.
bool require_member(Object& in, std::string_view name, const std::string& path,
                    std::string_view rule_id, const Notes& notes);

}  // namespace lade::validate
