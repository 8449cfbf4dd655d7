#include "libimage/runtime/config_json.h"

#include <charconv>
#include <concepts>
#include <type_traits>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/oci/json_reader.h"
#include "libimage/oci/json_writer.h"
#include "libimage/sandbox/config_fields.h"
#include "libimage/sandbox/enum_names.h"

namespace lade::runtime {
namespace {

namespace json = oci::json;
using namespace sandbox;  // the values, and fields() of each

constexpr std::size_t kMaxItems = 65536;  // of a list; groups alone can be as many

template <typename T>
concept Struct = std::is_class_v<T> && !std::same_as<T, std::string>;

// ---- reading ----

template <std::integral T>
requires(!std::same_as<T, bool>) void read(json::Value& value, const std::string& path, T& out) {
  const auto* number = value.as<json::Number>();
  if (number == nullptr) json::fail(path, cat("is ", value.kind(), ", not an integer"));
  const std::string& text = number->spelling;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (error != std::errc() || end != text.data() + text.size()) {
    json::fail(path, cat("is ", text.substr(0, 40), ", not an integer of its range"));
  }
}

void read(json::Value& value, const std::string& path, bool& out) {
  const bool* truth = value.as<bool>();
  if (truth == nullptr) json::fail(path, cat("is ", value.kind(), ", not a boolean"));
  out = *truth;
}

void read(json::Value& value, const std::string& path, std::string& out) {
  out = json::checked_string(value, path);
}

template <typename E>
requires std::is_enum_v<E>
void read(json::Value& value, const std::string& path, E& out) {
  const std::string name = json::checked_string(value, path);
  const std::optional<E> found = enum_of<E>(name);
  if (!found && name == "SCMP_ACT_NOTIFY") {
    throw Error(Errc::unsupported, cat(path, ": ", name, " is not supported"));
  }
  if (!found) json::fail(path, cat(quoted(name), " is unknown"));
  out = *found;
}

template <Struct T>
void read(json::Value& value, const std::string& path, T& out);
template <typename T>
void read(json::Value& value, const std::string& path, std::vector<T>& out);
template <typename T>
void read(json::Value& value, const std::string& path, std::optional<T>& out) {
  read(value, path, out.emplace());
}

void read(json::Value& value, const std::string& path, std::set<std::string>& out) {
  json::Array& items = json::array_of(value, path, kMaxItems);
  for (std::size_t i = 0; i < items.size(); ++i) {
    out.insert(json::checked_string(items[i], json::element(path, i)));
  }
}

template <typename T>
void read(json::Value& value, const std::string& path, std::map<std::string, T>& out) {
  auto* members = value.as<json::Object>();
  if (members == nullptr) json::fail(path, cat("is ", value.kind(), ", not an object"));
  for (auto& [name, item] : *members) {
    if (name.find('\0') != std::string::npos) json::fail(path, "has a name with U+0000");
    read(item, cat(path, "[", quoted(name.substr(0, 100)), "]"), out[name]);
  }
}

/// A list of {type, path} in the document.
void read(json::Value& value, const std::string& path, std::map<Namespace, std::string>& out) {
  json::Array& items = json::array_of(value, path, kMaxItems);
  for (std::size_t i = 0; i < items.size(); ++i) {
    json::ObjectReader in(items[i], json::element(path, i));
    Namespace kind{};
    read(in.take_required("type"), in.path_of("type"), kind);
    if (!out.emplace(kind, in.string("path")).second) {
      json::fail(path, cat(name_of(kind), " is given twice"));
    }
  }
}

class ReadVisitor {
 public:
  explicit ReadVisitor(json::ObjectReader& in) : in_(in) {}
  template <typename T>
  void need(std::string_view name, T& out) {
    read(in_.take_required(name), in_.path_of(name), out);
  }
  template <typename T>
  void may(std::string_view name, T& out) {
    if (json::Value* value = in_.take_set(name)) read(*value, in_.path_of(name), out);
  }
  template <typename T>
  void own(T& /*out*/) {}
  template <typename Body>
  void object(std::string_view name, const Body& body) {
    json::Value* value = in_.take_set(name);
    if (value == nullptr) return;
    json::ObjectReader inner(*value, in_.path_of(name));
    ReadVisitor visitor(inner);
    body(visitor);
  }
  void rest(UnknownFields& unknown) { unknown = in_.rest({}); }

 private:
  json::ObjectReader& in_;
};

template <Struct T>
void read(json::Value& value, const std::string& path, T& out) {
  json::ObjectReader in(value, path);
  ReadVisitor visitor(in);
  fields(visitor, out);
}

template <typename T>
void read(json::Value& value, const std::string& path, std::vector<T>& out) {
  json::Array& items = json::array_of(value, path, kMaxItems);
  out.resize(items.size());
  for (std::size_t i = 0; i < items.size(); ++i) read(items[i], json::element(path, i), out[i]);
}

template <typename T>
T parse(std::string_view text, std::string_view what) {
  return with_context([&] { return what; },
                      [&] {
                        json::Value value = json::parse(text, kMaxConfigBytes);
                        T out;
                        read(value, "", out);
                        return out;
                      });
}

// ---- writing ----

template <std::integral T>
requires(!std::same_as<T, bool>) void write(std::string& out, T value) { out += cat(value); }
void write(std::string& out, bool value) { out += value ? "true" : "false"; }
void write(std::string& out, const std::string& value) { json::append_string(out, value); }
template <typename E>
requires std::is_enum_v<E>
void write(std::string& out, E value) { json::append_string(out, name_of(value)); }
template <Struct T>
void write(std::string& out, const T& value);
template <typename T>
void write(std::string& out, const std::optional<T>& value) {
  if (value) {
    write(out, *value);
  } else {
    out += "null";
  }
}

template <typename Items>
void write_list(std::string& out, const Items& items) {
  out += '[';
  bool first = true;
  for (const auto& item : items) {
    if (!first) out += ',';
    first = false;
    write(out, item);
  }
  out += ']';
}
template <typename T>
void write(std::string& out, const std::vector<T>& items) {
  write_list(out, items);
}
void write(std::string& out, const std::set<std::string>& items) { write_list(out, items); }

template <typename T>
void write(std::string& out, const std::map<std::string, T>& members) {
  json::ObjectWriter inner;
  for (const auto& [name, item] : members) {
    std::string text;
    write(text, item);
    inner.raw(name, text);
  }
  out += inner.finish();
}

void write(std::string& out, const std::map<Namespace, std::string>& namespaces) {
  out += '[';
  for (const auto& [kind, path] : namespaces) {
    if (out.back() != '[') out += ',';
    json::ObjectWriter item;
    item.string("type", name_of(kind));
    item.string_if("path", path);
    out += item.finish();
  }
  out += ']';
}

class WriteVisitor {
 public:
  template <typename T>
  void need(std::string_view name, T& value) {
    std::string text;
    write(text, std::as_const(value));
    out_.raw(name, text);
  }
  template <typename T>
  void may(std::string_view name, T& value) {
    if (value != T{}) need(name, value);
  }
  template <typename T>
  void own(T& /*value*/) {}  // whether there is any is checked before: refuse_own()
  template <typename Body>
  void object(std::string_view name, const Body& body) {
    WriteVisitor inner;
    body(inner);
    const std::string text = inner.finish();
    if (text != "{}") out_.raw(name, text);
  }
  void rest(UnknownFields& unknown) { out_.unknown(unknown); }
  std::string finish() { return out_.finish(); }

 private:
  json::ObjectWriter out_;
};

template <Struct T>
void write(std::string& out, const T& value) {
  T copy = value;  // the members' lists are written once, for values that can be assigned
  WriteVisitor visitor;
  fields(visitor, copy);
  out += visitor.finish();
}

void refuse_own(const RuntimeConfig& config) {
  const auto refuse = [](std::string_view what) {
    throw Error(Errc::unsupported, cat("write config.json: ", what));
  };
  if (config.root.overlay) refuse("its root is an overlay that the runner would mount");
  for (const Mount& mount : config.mounts) {
    const bool own = mount.overlay || mount.type == "content" || mount.source.starts_with("fd:");
    if (own) refuse(cat("only the built-in runner can mount ", quoted(mount.destination)));
  }
}

}  // namespace

RuntimeConfig parse_config(std::string_view json) {
  auto config = parse<RuntimeConfig>(json, "config.json");
  if (config.oci_version.empty() || config.oci_version.substr(0, 2) != "1.") {
    throw Error(Errc::unsupported,
                cat("config.json: ociVersion ", quoted(config.oci_version), " is not 1.x"));
  }
  return config;
}

Process parse_process(std::string_view json) { return parse<Process>(json, "process"); }

Resources parse_resources(std::string_view json) { return parse<Resources>(json, "resources"); }

std::string serialise(const RuntimeConfig& config) {
  refuse_own(config);
  std::string out;
  write(out, config);
  return out;
}

}  // namespace lade::runtime
