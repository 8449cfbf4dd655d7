#include "libimage/name/platform.h"

#include <algorithm>
#include <array>
#include <limits>

#include "libimage/base/error.h"
#include "libimage/base/text.h"

namespace lade {
namespace {

constexpr std::array<std::string_view, 15> kSystems = {
    "aix",   "android", "darwin",  "dragonfly", "freebsd", "illumos", "ios",    "js",
    "linux", "netbsd",  "openbsd", "plan9",     "solaris", "wasip1",  "windows"};
constexpr std::array<std::string_view, 16> kArchitectures = {
    "386",    "amd64", "arm",     "arm64",   "loong64", "mips", "mips64",  "mips64le",
    "mipsle", "ppc64", "ppc64le", "riscv64", "s390x",   "wasm", "sparc64", "riscv"};

template <std::size_t N>
bool holds(const std::array<std::string_view, N>& words, std::string_view word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

/// Architecture names of uname and Debian, in the words of GOARCH that the specification uses; a
/// variant may come with them.
struct Alias {
  std::string_view name, architecture, variant;
};
constexpr std::array<Alias, 11> kAliases = {{
    {"x86_64", "amd64", ""},
    {"x86-64", "amd64", ""},
    {"i386", "386", ""},
    {"i486", "386", ""},
    {"i586", "386", ""},
    {"i686", "386", ""},
    {"aarch64", "arm64", ""},
    {"armhf", "arm", "v7"},
    {"armel", "arm", "v6"},
    {"ppc64el", "ppc64le", ""},
    {"loongarch64", "loong64", ""},
}};

constexpr int kUnknownLevel = -1;

/// "8" and "8.1" as 800 and 801; kUnknownLevel for anything else.
int dotted_level(std::string_view text) {
  const auto parts = split(text, '.');
  const auto major = parse_decimal(parts[0]);
  const auto minor = parts.size() > 1 ? parse_decimal(parts[1]) : std::optional<std::uint64_t>(0);
  if (parts.size() > 2 || !major || !minor || *major > 99 || *minor > 99) return kUnknownLevel;
  return static_cast<int>(*major * 100 + *minor);
}

/// How much of its architecture a variant asks for: machines of a level run all lower ones.
int variant_level(std::string_view architecture, std::string_view variant) {
  struct Family {
    std::string_view architecture, prefix, suffix, default_variant;
  };
  constexpr std::array<Family, 5> kFamilies = {{{"amd64", "v", "", "v1"},
                                                {"arm", "v", "", "v7"},
                                                {"arm64", "v", "", "v8"},
                                                {"ppc64le", "power", "", "power8"},
                                                {"riscv64", "rva", "u64", "rva20u64"}}};
  const auto family = std::find_if(kFamilies.begin(), kFamilies.end(), [&](const Family& one) {
    return one.architecture == architecture;
  });
  if (family == kFamilies.end()) return variant.empty() ? 0 : kUnknownLevel;
  if (variant.empty()) variant = family->default_variant;
  if (!variant.starts_with(family->prefix) || !variant.ends_with(family->suffix) ||
      variant.size() < family->prefix.size() + family->suffix.size()) {
    return kUnknownLevel;
  }
  variant.remove_prefix(family->prefix.size());
  variant.remove_suffix(family->suffix.size());
  return dotted_level(variant);
}

/// What to subtract from a good match: 0 is perfect, nullopt does not run there.
std::optional<int> variant_distance(const oci::Platform& have, const oci::Platform& wanted) {
  if (have.variant == wanted.variant) return 0;
  const int had = variant_level(have.architecture, have.variant);
  const int want = variant_level(wanted.architecture, wanted.variant);
  if (had == kUnknownLevel || want == kUnknownLevel) {
    // A variant without a known order still runs what asks for none.
    if (have.variant.empty()) return 1;
    return std::nullopt;
  }
  // Armv9.n has all of Armv8.(n+5) (Arm Architecture Reference Manual): v9.0 does not run v8.6.
  const bool across = wanted.architecture == "arm64" && had / 100 == 8 && want / 100 == 9;
  if (across && had % 100 > want % 100 + 5) return std::nullopt;
  if (had > want) return std::nullopt;
  return want - had;
}

/// Windows images run where the build number (the first three parts) is the same; elsewhere the
/// version is compared whole.
std::optional<int> version_distance(const oci::Platform& have, const oci::Platform& wanted) {
  if (wanted.os_version.empty() || have.os_version == wanted.os_version) return 0;
  if (have.os_version.empty()) return 1;
  if (wanted.os != "windows") return std::nullopt;
  const auto build = [](std::string_view version) {
    auto parts = split(version, '.');
    parts.resize(3);
    return parts;
  };
  if (build(have.os_version) != build(wanted.os_version)) return std::nullopt;
  return 1;
}

int missing_features(const oci::Platform& have, const oci::Platform& wanted) {
  const auto& offered = wanted.os_features;
  return static_cast<int>(
      std::count_if(have.os_features.begin(), have.os_features.end(), [&](const auto& feature) {
        return std::find(offered.begin(), offered.end(), feature) == offered.end();
      }));
}

/// How well a platform fits: variant, version, features, kind of entry; lower is better.
using Distance = std::array<int, 4>;

/// Both sides are normalised.
std::optional<Distance> distance(const oci::Platform& have, const oci::Platform& wanted) {
  if (have.os != wanted.os || have.architecture != wanted.architecture) return std::nullopt;
  const auto version = version_distance(have, wanted);
  const auto variant = variant_distance(have, wanted);
  if (!version || !variant) return std::nullopt;
  return Distance{*variant, *version, missing_features(have, wanted), 0};
}

bool is_unknown(const oci::Platform& platform) {
  return platform.os == "unknown" && platform.architecture == "unknown";
}

/// Artifacts about an image may be listed beside it, for the same platform: the image comes first.
int strangeness(const oci::Descriptor& entry) {
  const bool document = oci::is_manifest(entry.media_type) || oci::is_index(entry.media_type);
  return (entry.artifact_type.empty() ? 0 : 1) + (document ? 0 : 1);
}

void check_component(std::string_view text, std::string_view component) {
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-' || c == '.';
  };
  if (component.empty() || component.size() > 64 ||
      !std::all_of(component.begin(), component.end(), allowed)) {
    throw Error(Errc::invalid_argument, cat("invalid platform ", quoted(text.substr(0, 200)),
                                            ": OS/ARCHITECTURE[/VARIANT] is expected"));
  }
}

}  // namespace

oci::Platform normalised(oci::Platform platform) {
  platform.os = lower_case(platform.os);
  platform.architecture = lower_case(platform.architecture);
  platform.variant = lower_case(platform.variant);
  if (platform.os == "macos") platform.os = "darwin";
  for (const Alias& alias : kAliases) {
    if (platform.architecture != alias.name) continue;
    platform.architecture = alias.architecture;
    if (platform.variant.empty()) platform.variant = alias.variant;
  }
  const bool numbered = platform.architecture == "arm" || platform.architecture == "arm64" ||
                        platform.architecture == "amd64";
  if (numbered && !platform.variant.empty() && platform.variant[0] >= '0' &&
      platform.variant[0] <= '9') {
    platform.variant.insert(0, "v");
  }
  if (platform.variant.ends_with(".0") && numbered) {
    platform.variant.resize(platform.variant.size() - 2);
  }
  if (platform.architecture == "arm" && platform.variant.empty()) platform.variant = "v7";
  if (platform.architecture == "arm64" && platform.variant == "v8") platform.variant.clear();
  if (platform.architecture == "amd64" && platform.variant == "v1") platform.variant.clear();
  return platform;
}

oci::Platform parse_platform(std::string_view text) {
  oci::Platform out;
  std::string_view name = text;
  if (const std::size_t colon = text.find(':'); colon != std::string_view::npos) {
    check_component(text, text.substr(colon + 1));
    out.os_version = text.substr(colon + 1);
    name = text.substr(0, colon);
  }
  const auto parts = split(name, '/');
  if (parts.size() > 3) {
    throw Error(Errc::invalid_argument, cat("invalid platform ", quoted(text.substr(0, 200)),
                                            ": more parts than OS/ARCHITECTURE/VARIANT"));
  }
  for (const std::string_view part : parts) check_component(text, part);
  const oci::Platform host = host_platform();
  if (parts.size() > 1) {
    out.os = parts[0];
    out.architecture = parts[1];
    if (parts.size() > 2) out.variant = parts[2];
    return normalised(std::move(out));
  }
  out.os = host.os;
  out.architecture = parts[0];
  out = normalised(std::move(out));
  if (holds(kArchitectures, out.architecture)) return out;
  out.os = out.architecture;
  out.architecture = host.architecture;
  out.variant = host.variant;
  out = normalised(std::move(out));
  if (holds(kSystems, out.os)) return out;
  throw Error(Errc::invalid_argument,
              cat("invalid platform ", quoted(text.substr(0, 200)),
                  ": neither an operating system nor an architecture, such as 'linux/arm64'"));
}

oci::Platform host_platform() {
  // What this program was built for, not uname: a 32-bit program runs on a 64-bit kernel, too.
  oci::Platform out;
  out.os = "linux";
#if defined(__x86_64__)
  out.architecture = "amd64";
#elif defined(__aarch64__)
  out.architecture = "arm64";
#elif defined(__arm__)
  out.architecture = "arm";
  out.variant = cat("v", __ARM_ARCH);
#elif defined(__i386__)
  out.architecture = "386";
#elif defined(__powerpc64__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
  out.architecture = "ppc64le";
#elif defined(__s390x__)
  out.architecture = "s390x";
#elif defined(__riscv) && __riscv_xlen == 64
  out.architecture = "riscv64";
#elif defined(__mips64) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
  out.architecture = "mips64le";
#elif defined(__loongarch64)
  out.architecture = "loong64";
#else
#error "name this machine's architecture in the words of GOARCH"
#endif
  return out;
}

std::optional<std::size_t> choose_platform(const std::vector<oci::Descriptor>& candidates,
                                           const oci::Platform& wanted) {
  const oci::Platform target = normalised(wanted);
  std::optional<std::size_t> best;
  Distance best_distance{};
  std::size_t images = 0;
  std::optional<std::size_t> without_platform;
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    const auto& platform = candidates[i].platform;
    if (platform && is_unknown(*platform)) continue;
    ++images;
    if (!platform) {
      without_platform = i;
      continue;
    }
    auto found = distance(normalised(*platform), target);
    if (found) found->back() = strangeness(candidates[i]);
    if (found && (!best || *found < best_distance)) {
      best = i;
      best_distance = *found;
    }
  }
  if (!best && images == 1) return without_platform;
  return best;
}

bool platform_fits(const oci::Platform& have, const oci::Platform& wanted) {
  return !is_unknown(have) && distance(normalised(have), normalised(wanted)).has_value();
}

}  // namespace lade
