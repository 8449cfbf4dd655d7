#include "libimage/template/value.h"

#include <algorithm>
#include <ctime>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/template/go_text.h"

namespace lade::templates {
namespace {

void append_printed(std::string& out, const Value& value, std::size_t depth);

template <typename Range, typename Append>
void append_spaced(std::string& out, const Range& range, const Append& append) {
  bool first = true;
  for (const auto& item : range) {
    if (!first) out += ' ';
    first = false;
    append(item);
  }
}

/// Go's Time.String(): "2024-01-02 03:04:05.6 +0000 UTC".
std::string printed_time(const Timestamp& time) {
  std::string text = to_rfc3339(time);
  std::replace(text.begin(), text.end(), 'T', ' ');
  text.pop_back();  // the Z
  return text + " +0000 UTC";
}

void append_composite(std::string& out, const Value& value, std::size_t depth) {
  if (depth > kMaxValueDepth) throw Error(Errc::limit_exceeded, "value is nested too deeply");
  if (const auto* list = value.list()) {
    out += '[';
    append_spaced(out, list->items,
                  [&](const Value& item) { append_printed(out, item, depth + 1); });
    out += ']';
  } else if (const auto* map = value.map()) {
    out += "map[";
    append_spaced(out, map->entries, [&](const auto& entry) {
      out += entry.first;
      out += ':';
      append_printed(out, entry.second, depth + 1);
    });
    out += ']';
  } else if (const auto* record = value.record()) {
    out += '{';
    append_spaced(out, record->fields, [&](const ValueRecord::Field& field) {
      append_printed(out, field.value, depth + 1);
    });
    out += '}';
  }
}

void append_printed(std::string& out, const Value& value, std::size_t depth) {
  if (const auto* text = value.text()) {
    out += *text;
  } else if (const auto* boolean = value.as<bool>()) {
    out += *boolean ? "true" : "false";
  } else if (const auto* integer = value.as<std::int64_t>()) {
    out += cat(*integer);
  } else if (const auto* real = value.as<double>()) {
    out += go_float(*real);
  } else if (const auto* time = value.as<Timestamp>()) {
    out += printed_time(*time);
  } else if (value.is_missing() || value.is_nil()) {
    out += "<nil>";
  } else {
    append_composite(out, value, depth);
  }
}

}  // namespace

Value Value::nil(std::string type) { return Value(Content(Nil{std::move(type)})); }
Value Value::of(bool value) { return Value(Content(value)); }
Value Value::of(std::int64_t value) { return Value(Content(value)); }
Value Value::of(double value) { return Value(Content(value)); }
Value Value::of(std::string value) { return Value(Content(std::move(value))); }
Value Value::of(Timestamp time) { return Value(Content(time)); }
Value Value::of(ValueList list) {
  return Value(Content(std::make_shared<const ValueList>(std::move(list))));
}
Value Value::of(ValueMap map) {
  return Value(Content(std::make_shared<const ValueMap>(std::move(map))));
}
Value Value::of(ValueRecord record) {
  return Value(Content(std::make_shared<const ValueRecord>(std::move(record))));
}

Value Value::of(const std::vector<std::string>& texts) {
  ValueList list{.items = {}, .element_type = "string"};
  for (const std::string& text : texts) list.items.push_back(of(text));
  return of(std::move(list));
}

Value Value::of(const std::map<std::string, std::string>& texts) {
  ValueMap map{.entries = {}, .element_type = "string"};
  for (const auto& [key, text] : texts) map.entries.emplace(key, of(text));
  return of(std::move(map));
}

const ValueList* Value::list() const noexcept {
  const auto* held = as<std::shared_ptr<const ValueList>>();
  return held == nullptr ? nullptr : held->get();
}

const ValueMap* Value::map() const noexcept {
  const auto* held = as<std::shared_ptr<const ValueMap>>();
  return held == nullptr ? nullptr : held->get();
}

const ValueRecord* Value::record() const noexcept {
  const auto* held = as<std::shared_ptr<const ValueRecord>>();
  return held == nullptr ? nullptr : held->get();
}

bool Value::truth() const noexcept {
  if (const auto* boolean = as<bool>()) return *boolean;
  if (const auto* integer = as<std::int64_t>()) return *integer != 0;
  if (const auto* real = as<double>()) return *real != 0;
  if (const auto* held = text()) return !held->empty();
  if (const auto* held = list()) return !held->items.empty();
  if (const auto* held = map()) return !held->entries.empty();
  return record() != nullptr || as<Timestamp>() != nullptr;
}

std::string Value::type_name() const {
  if (boxed_) return std::string(kAnyType);
  if (as<bool>() != nullptr) return "bool";
  if (as<std::int64_t>() != nullptr) return "int";
  if (as<double>() != nullptr) return "float64";
  if (text() != nullptr) return "string";
  if (as<Timestamp>() != nullptr) return "time.Time";
  if (const auto* held = list()) return cat("[]", held->element_type);
  if (const auto* held = map()) return cat("map[string]", held->element_type);
  if (const auto* held = record()) return held->type;
  if (const auto* held = as<Nil>(); held != nullptr && !held->type.empty()) return held->type;
  return std::string(kAnyType);
}

Value Value::boxed() const {
  Value copy = *this;
  copy.boxed_ = true;
  return copy;
}

Value Value::unboxed() const {
  // A nil in a container of anything is nothing at all once it is taken out.
  const auto* held = as<Nil>();
  if (held != nullptr && held->type.empty()) return {};
  Value copy = *this;
  copy.boxed_ = false;
  return copy;
}

const ValueRecord::Field* ValueRecord::find(std::string_view name) const noexcept {
  const auto found = std::find_if(fields.begin(), fields.end(),
                                  [&](const Field& field) { return field.name == name; });
  return found == fields.end() ? nullptr : &*found;
}

std::string print_value(const Value& value) {
  std::string out;
  append_printed(out, value, 0);
  return out;
}

}  // namespace lade::templates
