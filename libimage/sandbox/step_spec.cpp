#include "libimage/sandbox/step_spec.h"

#include <concepts>
#include <cstring>
#include <limits>
#include <optional>
#include <set>
#include <type_traits>

#include "libimage/base/error.h"

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

// One list of members for both directions; `visit` overloads take what values are made of.
template <typename Coder, typename T>
requires Number<T> || std::same_as<T, std::string>
void visit(Coder& coder, T& value) { coder.value(value); }
template <typename Coder>
void visit(Coder& coder, User& user);
template <typename Coder>
void visit(Coder& coder, Rlimit& limit);
template <typename Coder>
void visit(Coder& coder, Process& process);
template <typename Coder>
void visit(Coder& coder, Mount& mount);
template <typename Coder>
void visit(Coder& coder, OverlayRoot& overlay);
template <typename Coder>
void visit(Coder& coder, RuntimeConfig& config);

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

template <typename Coder, typename... Members>
void visit_all(Coder& coder, Members&... members) {
  (visit(coder, members), ...);
}

template <typename Coder>
void visit(Coder& coder, User& user) {
  visit_all(coder, user.uid, user.gid, user.additional_gids, user.umask);
}
template <typename Coder>
void visit(Coder& coder, Rlimit& limit) {
  visit_all(coder, limit.type, limit.soft, limit.hard);
}
template <typename Coder>
void visit(Coder& coder, Process& p) {
  visit_all(coder, p.args, p.env, p.cwd, p.user, p.capabilities, p.no_new_privileges, p.rlimits);
}
template <typename Coder>
void visit(Coder& coder, Mount& mount) {
  visit_all(coder, mount.destination, mount.type, mount.source, mount.options, mount.overlay,
            mount.content);
}
template <typename Coder>
void visit(Coder& coder, OverlayRoot& overlay) {
  visit_all(coder, overlay.lower, overlay.upper, overlay.work);
}
template <typename Coder>
void visit(Coder& coder, RuntimeConfig& c) {
  visit_all(coder, c.process, c.root.path, c.root.overlay, c.root.readonly, c.hostname, c.mounts,
            c.namespaces, c.masked_paths, c.readonly_paths, c.seccomp.enabled, c.seccomp.json_file);
}
template <typename Coder>
void visit(Coder& coder, StepSpec& spec) {
  visit_all(coder, spec.config, spec.seccomp_filter, spec.mount_fds, spec.channel);
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
