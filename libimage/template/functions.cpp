#include "libimage/template/functions.h"

#include <algorithm>
#include <array>
#include <optional>

#include "libimage/base/text.h"
#include "libimage/template/function_groups.h"

namespace lade::templates {
namespace {

using Values = std::vector<Value>;

[[noreturn]] void fail(std::string message) { throw FunctionError(std::move(message)); }

bool is_text(const Value& value) { return value.text() != nullptr; }

std::int64_t integer_of(const Value& value) {
  const auto* integer = value.as<std::int64_t>();
  return integer == nullptr ? 0 : *integer;
}

const std::string& text_of(const Value& value) {
  static const std::string none;
  return value.text() == nullptr ? none : *value.text();
}

// ---- index, slice, len ----

std::size_t index_of(const Value& index, std::size_t most) {
  const auto* number = index.as<std::int64_t>();
  if (number == nullptr) {
    if (index.is_missing()) fail("cannot index slice/array with nil");
    fail(cat("cannot index slice/array with type ", index.type_name()));
  }
  if (*number < 0 || static_cast<std::uint64_t>(*number) > most)
    fail(cat("index out of range: ", *number));
  return static_cast<std::size_t>(*number);
}

/// What a list or map of `element_type` has for what it lacks.
Value zero_of(const std::string& element_type) {
  if (element_type == "string") return Value::of(std::string());
  if (element_type == "int") return Value::of(std::int64_t{0});
  if (element_type == "bool") return Value::of(false);
  return {};
}

Value element_of(const Value& item, const Value& index) {
  if (const auto* list = item.list()) {
    const std::size_t at = index_of(index, list->items.size());
    if (at == list->items.size()) fail("reflect: slice index out of range");
    return list->element_type == kAnyType ? list->items[at].boxed() : list->items[at];
  }
  if (const auto* text = item.text()) {
    const std::size_t at = index_of(index, text->size());
    if (at == text->size()) fail("reflect: string index out of range");
    return Value::of(std::int64_t{static_cast<unsigned char>((*text)[at])});
  }
  if (const auto* map = item.map()) {
    if (index.is_missing()) fail("value is nil; should be of type string");
    if (!is_text(index)) fail(cat("value has type ", index.type_name(), "; should be string"));
    const auto found = map->entries.find(*index.text());
    if (found == map->entries.end()) return zero_of(map->element_type);
    return map->element_type == kAnyType ? found->second.boxed() : found->second;
  }
  fail(cat("can't index item of type ", item.type_name()));
}

Value index(const Values& arguments, const CallContext& /*context*/) {
  Value item = arguments.front().unboxed();
  if (item.is_missing()) fail("index of untyped nil");
  for (std::size_t i = 1; i < arguments.size(); ++i) {
    item = item.unboxed();
    if (item.is_nil() || item.is_missing()) fail("index of nil pointer");
    item = element_of(item, arguments[i].unboxed());
  }
  return item;
}

Value slice(const Values& arguments, const CallContext& /*context*/) {
  const Value item = arguments.front().unboxed();
  if (item.is_missing()) fail("slice of untyped nil");
  if (item.is_nil()) fail("slice of nil pointer");
  const std::size_t count = arguments.size() - 1;
  if (count > 3) fail(cat("too many slice indexes: ", count));
  const auto* list = item.list();
  if (list == nullptr && !is_text(item)) fail(cat("can't slice item of type ", item.type_name()));
  if (list == nullptr && count == 3) fail("cannot 3-index slice a string");
  const std::size_t size = list == nullptr ? item.text()->size() : list->items.size();
  std::array<std::size_t, 3> at = {0, size, size};
  for (std::size_t i = 0; i < count; ++i) at[i] = index_of(arguments[i + 1].unboxed(), size);
  if (at[0] > at[1]) fail(cat("invalid slice index: ", at[0], " > ", at[1]));
  if (at[1] > at[2]) fail(cat("invalid slice index: ", at[1], " > ", at[2]));
  if (list == nullptr) return Value::of(item.text()->substr(at[0], at[1] - at[0]));
  ValueList part{.items = {}, .element_type = list->element_type};
  part.items.assign(list->items.begin() + static_cast<std::ptrdiff_t>(at[0]),
                    list->items.begin() + static_cast<std::ptrdiff_t>(at[1]));
  return Value::of(std::move(part));
}

Value length(const Values& arguments, const CallContext& /*context*/) {
  const Value item = arguments.front().unboxed();
  const auto as_value = [](std::size_t size) { return Value::of(static_cast<std::int64_t>(size)); };
  if (const auto* list = item.list()) return as_value(list->items.size());
  if (const auto* map = item.map()) return as_value(map->entries.size());
  if (is_text(item)) return as_value(item.text()->size());
  if (item.is_nil() || arguments.front().is_nil()) fail("len of nil pointer");
  if (item.is_missing()) fail("reflect: call of reflect.Value.Type on zero Value");
  fail(cat("len of type ", item.type_name()));
}

// ---- printing ----

Value print(const Values& arguments, const CallContext& /*context*/) {
  return Value::of(print_plain(arguments));
}
Value printf(const Values& arguments, const CallContext& context) {
  return Value::of(print_formatted(arguments, context));
}
Value println(const Values& arguments, const CallContext& /*context*/) {
  return Value::of(print_line(arguments));
}

// ---- docker's and podman's ----

void check_size(std::size_t bytes, const CallContext& context) {
  if (bytes > context.max_bytes) fail("the result is too long");
}

Value join(const Values& arguments, const CallContext& context) {
  std::string out;
  const auto* list = arguments[0].list();
  if (list == nullptr) return Value::of(out);
  for (std::size_t i = 0; i < list->items.size(); ++i) {
    if (i != 0) out += text_of(arguments[1]);
    out += text_of(list->items[i]);
    check_size(out.size(), context);
  }
  return Value::of(std::move(out));
}

Value json(const Values& arguments, const CallContext& /*context*/) {
  return Value::of(to_json(arguments.front()));
}

Value lower(const Values& arguments, const CallContext& /*context*/) {
  return Value::of(lower_case(text_of(arguments.front())));
}

char upper_of(char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; }

Value upper(const Values& arguments, const CallContext& /*context*/) {
  std::string text = text_of(arguments.front());
  std::transform(text.begin(), text.end(), text.begin(), upper_of);
  return Value::of(std::move(text));
}

Value title(const Values& arguments, const CallContext& /*context*/) {
  std::string text = text_of(arguments.front());
  bool begins = true;
  for (char& c : text) {
    if (begins) c = upper_of(c);
    const bool word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                      c == '_' || (static_cast<unsigned char>(c) & 0x80U) != 0;
    begins = !word;
  }
  return Value::of(std::move(text));
}

Value pad(const Values& arguments, const CallContext& context) {
  const std::string& text = text_of(arguments[0]);
  const std::int64_t before = integer_of(arguments[1]);
  const std::int64_t after = integer_of(arguments[2]);
  if (text.empty()) return Value::of(text);
  if (before < 0 || after < 0) fail("strings: negative Repeat count");
  const auto front = static_cast<std::size_t>(before);
  const auto back = static_cast<std::size_t>(after);
  check_size(std::max(front, back), context);
  check_size(text.size() + front + back, context);
  return Value::of(cat(std::string(front, ' '), text, std::string(back, ' ')));
}

Value split_text(const Values& arguments, const CallContext& context) {
  const std::string& text = text_of(arguments[0]);
  const std::string& separator = text_of(arguments[1]);
  std::vector<std::string> pieces;
  std::size_t from = 0;
  if (separator.empty()) {
    for (const char c : text) {
      const bool continues = (static_cast<unsigned char>(c) & 0xC0U) == 0x80;
      if (continues && !pieces.empty()) {
        pieces.back() += c;
      } else {
        pieces.emplace_back(1, c);
      }
    }
    check_size(pieces.size(), context);
    return Value::of(pieces);
  }
  for (std::size_t at = text.find(separator); at != std::string::npos;
       at = text.find(separator, from)) {
    pieces.push_back(text.substr(from, at - from));
    from = at + separator.size();
  }
  pieces.push_back(text.substr(from));
  return Value::of(pieces);
}

Value truncate(const Values& arguments, const CallContext& /*context*/) {
  const std::string& text = text_of(arguments[0]);
  const std::int64_t length = integer_of(arguments[1]);
  if (length < 0) fail(cat("runtime error: slice bounds out of range [:", length, "]"));
  return Value::of(text.substr(0, static_cast<std::size_t>(length)));
}

// ---- the table ----

constexpr Param kAnyValue = Param::value;
constexpr Param kAnything = Param::anything;
constexpr std::array<Param, 1> kOneValue = {Param::value};
constexpr std::array<Param, 2> kTwoValues = {Param::value, Param::value};
constexpr std::array<Param, 1> kOneText = {Param::text};
constexpr std::array<Param, 2> kTwoTexts = {Param::text, Param::text};
constexpr std::array<Param, 1> kOneThing = {Param::anything};
constexpr std::array<Param, 2> kJoin = {Param::text_list, Param::text};
constexpr std::array<Param, 3> kPad = {Param::text, Param::integer, Param::integer};
constexpr std::array<Param, 2> kTruncate = {Param::text, Param::integer};

constexpr std::array<Function, 27> kFunctions = {{
    {.name = "and", .fixed = kOneValue, .variadic = &kAnyValue, .call = nullptr},
    {.name = "call", .fixed = kOneValue, .variadic = &kAnyValue, .call = nullptr},
    {.name = "eq", .fixed = kOneValue, .variadic = &kAnyValue, .call = eq},
    {.name = "ge", .fixed = kTwoValues, .call = ge},
    {.name = "gt", .fixed = kTwoValues, .call = gt},
    {.name = "html", .variadic = &kAnything, .call = html},
    {.name = "index", .fixed = kOneValue, .variadic = &kAnyValue, .call = index},
    {.name = "join", .fixed = kJoin, .call = join},
    {.name = "js", .variadic = &kAnything, .call = js},
    {.name = "json", .fixed = kOneThing, .call = json},
    {.name = "le", .fixed = kTwoValues, .call = le},
    {.name = "len", .fixed = kOneValue, .call = length},
    {.name = "lower", .fixed = kOneText, .call = lower},
    {.name = "lt", .fixed = kTwoValues, .call = lt},
    {.name = "ne", .fixed = kTwoValues, .call = ne},
    {.name = "not", .fixed = kOneValue, .call = negation},
    {.name = "or", .fixed = kOneValue, .variadic = &kAnyValue, .call = nullptr},
    {.name = "pad", .fixed = kPad, .call = pad},
    {.name = "print", .variadic = &kAnything, .call = print},
    {.name = "printf", .fixed = kOneText, .variadic = &kAnything, .call = printf},
    {.name = "println", .variadic = &kAnything, .call = println},
    {.name = "slice", .fixed = kOneValue, .variadic = &kAnyValue, .call = slice},
    {.name = "split", .fixed = kTwoTexts, .call = split_text},
    {.name = "title", .fixed = kOneText, .call = title},
    {.name = "truncate", .fixed = kTruncate, .call = truncate},
    {.name = "upper", .fixed = kOneText, .call = upper},
    {.name = "urlquery", .variadic = &kAnything, .call = urlquery},
}};

}  // namespace

std::string_view type_of(Param param) noexcept {
  switch (param) {
    case Param::value:
      return "reflect.Value";
    case Param::anything:
      return kAnyType;
    case Param::text:
      return "string";
    case Param::integer:
      return "int";
    case Param::text_list:
      return "[]string";
  }
  return {};
}

const Function* find_function(std::string_view name) noexcept {
  const auto found = std::find_if(kFunctions.begin(), kFunctions.end(),
                                  [&](const Function& function) { return function.name == name; });
  return found == kFunctions.end() ? nullptr : &*found;
}

}  // namespace lade::templates
