#include "libimage/sandbox/step_spec.h"

#include <concepts>
#include <cstring>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <type_traits>

#include "libimage/base/error.h"
#include "libimage/sandbox/config_fields.h"

namespace lade::sandbox {
namespace {

constexpr std::string_view kMagic = "lade step 1\n";

template <typename T>
concept Number = std::integral<T> || std::is_enum_v<T>;

class Encoder {
 public:
  static constexpr bool kReading = false;
  std::string out{kMagic};

  template <Number T>
  void value(T& number) {
    const auto wide = static_cast<std::uint64_t>(number);
    char raw[sizeof wide];
    std::memcpy(raw, &wide, sizeof wide);
    out.append(raw, sizeof raw);
  }
  void value(std::string& text) {
    std::uint64_t size = text.size();
    value(size);
    out += text;
  }
};

class Decoder {
 public:
  static constexpr bool kReading = true;
  explicit Decoder(std::string_view bytes) : rest_(bytes) {
    if (take(kMagic.size()) != kMagic) fail();
  }

  template <Number T>
  void value(T& number) {
    std::uint64_t wide = 0;
    std::memcpy(&wide, take(sizeof wide).data(), sizeof wide);
    number = static_cast<T>(wide);
    if (static_cast<std::uint64_t>(number) != wide) fail();
  }
  void value(std::string& text) {
    std::uint64_t size = 0;
    value(size);
    text = take(size);
  }
  /// Elements take at least one byte each, so that a count is never above the bytes left.
  void count(std::uint64_t& number) {
    value(number);
    if (number > rest_.size()) fail();
  }
  void finish() const {
    if (!rest_.empty()) fail();
  }

 private:
  [[noreturn]] static void fail() {
    throw Error(Errc::invalid_content, "read step: the specification is damaged");
  }
  std::string_view take(std::uint64_t size) {
    if (size > rest_.size()) fail();
    const std::string_view piece = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return piece;
  }

  std::string_view rest_;
};

// One list of members for both directions (config_fields.h); `visit` overloads take what values are
// made of.
template <typename Coder, typename T>
requires Number<T> || std::same_as<T, std::string>
void visit(Coder& coder, T& value) { coder.value(value); }
template <typename Coder, typename T>
void visit(Coder& coder, std::vector<T>& values);
template <typename Coder, typename K, typename T>
void visit(Coder& coder, std::map<K, T>& values);
template <typename Coder, typename T>
void visit(Coder& coder, std::set<T>& values);
template <typename Coder, typename T>
void visit(Coder& coder, std::optional<T>& value);
template <typename Coder, typename T>
requires(std::is_class_v<T> && !std::same_as<T, std::string>) void visit(Coder& coder, T& value);

template <typename Coder>
class FieldVisitor {
 public:
  explicit FieldVisitor(Coder& coder) : coder_(coder) {}
  template <typename T>
  void need(std::string_view /*name*/, T& value) {
    visit(coder_, value);
  }
  template <typename T>
  void may(std::string_view /*name*/, T& value) {
    visit(coder_, value);
  }
  template <typename T>
  void own(T& value) {
    visit(coder_, value);
  }
  template <typename Body>
  void object(std::string_view /*name*/, const Body& body) {
    body(*this);
  }
  void rest(UnknownFields& /*unknown*/) {}  // nothing that a step could do

 private:
  Coder& coder_;
};

template <typename Coder, typename T>
void visit(Coder& coder, std::vector<T>& values) {
  std::uint64_t count = values.size();
  if constexpr (Coder::kReading) {
    coder.count(count);
    values.resize(count);
  } else {
    coder.value(count);
  }
  for (T& value : values) visit(coder, value);
}

template <typename Coder, typename K, typename T>
void visit(Coder& coder, std::map<K, T>& values) {
  std::vector<K> keys;
  std::vector<T> items;
  for (const auto& [key, item] : values) {
    keys.push_back(key);
    items.push_back(item);
  }
  visit(coder, keys);
  items.resize(keys.size());
  for (T& item : items) visit(coder, item);
  if constexpr (Coder::kReading) {
    for (std::size_t i = 0; i < keys.size(); ++i) values.emplace(keys[i], std::move(items[i]));
  }
}

template <typename Coder, typename T>
void visit(Coder& coder, std::set<T>& values) {
  std::vector<T> list(values.begin(), values.end());
  visit(coder, list);
  if constexpr (Coder::kReading) values = std::set<T>(list.begin(), list.end());
}

template <typename Coder, typename T>
void visit(Coder& coder, std::optional<T>& value) {
  bool present = value.has_value();
  coder.value(present);
  if (!present) return;
  if constexpr (Coder::kReading) value.emplace();
  visit(coder, *value);
}

template <typename Coder, typename T>
requires(std::is_class_v<T> && !std::same_as<T, std::string>) void visit(Coder& coder, T& value) {
  FieldVisitor<Coder> visitor(coder);
  fields(visitor, value);
}

template <typename V>
void fields(V& v, Hosting& hosting) {
  v.own(hosting.program);
  v.own(hosting.flags);
  v.own(hosting.bundle);
  v.own(hosting.id);
}

template <typename V>
void fields(V& v, StepSpec& spec) {
  v.own(spec.config);
  v.own(spec.seccomp_filter);
  v.own(spec.seccomp_flags);
  v.own(spec.mount_fds);
  v.own(spec.channel);
  v.own(spec.mode);
  v.own(spec.waits);
  v.own(spec.join_fds);
  v.own(spec.join_kinds);
  v.own(spec.new_cgroup_namespace);
  v.own(spec.cgroup_fds);
  v.own(spec.has_input);
  v.own(spec.start_fifo);
  v.own(spec.console_socket);
  v.own(spec.preserve_fds);
  v.own(spec.keyring);
  v.own(spec.state_head);
  v.own(spec.hosting);
}

}  // namespace

std::string encode(const StepSpec& spec) {
  Encoder encoder;
  StepSpec copy = spec;  // the members' list is written once, for values that can be assigned
  visit(encoder, copy);
  return std::move(encoder.out);
}

StepSpec decode_step_spec(std::string_view bytes) {
  Decoder decoder(bytes);
  StepSpec spec;
  visit(decoder, spec);
  decoder.finish();
  return spec;
}

}  // namespace lade::sandbox
