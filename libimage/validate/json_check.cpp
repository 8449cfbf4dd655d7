#include "libimage/validate/json_check.h"

#include "libimage/base/text.h"

namespace lade::validate {
namespace {

std::string is_no(Value& value, std::string_view wanted) {
  return cat("is ", value.kind(), ", not ", wanted);
}

/// The member as T; noted if it is something else.
template <typename T>
T* typed_member(Object& in, std::string_view name, const std::string& path,
                std::string_view rule_id, std::string_view wanted, const Notes& notes) {
  Value* value = member(in, name);
  if (value == nullptr) return nullptr;
  T* typed = value->as<T>();
  if (typed == nullptr) notes.add(rule_id, below(path, name), is_no(*value, wanted));
  return typed;
}

bool is_allowed_null(Object& in, std::string_view name, Null null) {
  const Value* value = member(in, name);
  return null == Null::allowed && value != nullptr && value->is_null();
}

/// Checks that each member of the object called `name` is a T.
template <typename T>
void check_map(Object& in, std::string_view name, const std::string& path, std::string_view rule_id,
               Null null, std::string_view wanted, const Notes& notes) {
  if (is_allowed_null(in, name, null)) return;
  Object* map = object_member(in, name, path, rule_id, notes);
  if (map == nullptr) return;
  for (auto& [key, member_value] : *map) {
    Value& value = member_value;
    if (value.as<T>() == nullptr) {
      notes.add(rule_id, below(below(path, name), printable(key)), is_no(value, wanted));
    }
  }
}

}  // namespace

Value* member(Object& object, std::string_view name) {
  for (auto& [key, value] : object) {
    if (key == name) return &value;
  }
  return nullptr;
}

std::string below(std::string_view path, std::string_view name) {
  return path.empty() ? std::string(name) : cat(path, ".", name);
}

std::string item(std::string_view path, std::size_t index) { return cat(path, "[", index, "]"); }

Object* object_member(Object& in, std::string_view name, const std::string& path,
                      std::string_view rule_id, const Notes& notes) {
  return typed_member<Object>(in, name, path, rule_id, "an object", notes);
}

Array* array_member(Object& in, std::string_view name, const std::string& path,
                    std::string_view rule_id, const Notes& notes) {
  return typed_member<Array>(in, name, path, rule_id, "an array", notes);
}

const std::string* text_member(Object& in, std::string_view name, const std::string& path,
                               std::string_view rule_id, const Notes& notes) {
  return typed_member<std::string>(in, name, path, rule_id, "a string", notes);
}

void check_texts(Object& in, std::string_view name, const std::string& path,
                 std::string_view rule_id, Null null, const Notes& notes) {
  if (is_allowed_null(in, name, null)) return;
  Array* list = array_member(in, name, path, rule_id, notes);
  if (list == nullptr) return;
  for (std::size_t i = 0; i < list->size(); ++i) {
    Value& value = (*list)[i];
    if (value.as<std::string>() == nullptr) {
      notes.add(rule_id, item(below(path, name), i), is_no(value, "a string"));
    }
  }
}

void check_text_map(Object& in, std::string_view name, const std::string& path,
                    std::string_view rule_id, Null null, const Notes& notes) {
  check_map<std::string>(in, name, path, rule_id, null, "a string", notes);
}

void check_name_set(Object& in, std::string_view name, const std::string& path,
                    std::string_view rule_id, Null null, const Notes& notes) {
  check_map<Object>(in, name, path, rule_id, null, "an object", notes);
}

bool require_member(Object& in, std::string_view name, const std::string& path,
                    std::string_view rule_id, const Notes& notes) {
  if (member(in, name) != nullptr) return true;
  notes.add(rule_id, below(path, name), "is missing");
  return false;
}

}  // namespace lade::validate
