/// Seccomp rules as values, where they come from, and the kernel's filter made of them.
#pragma once
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace lade::sandbox {

enum class SeccompAction : std::uint8_t {
  allow,
  error,
  kill_thread,
  kill_process,
  trap,
  log,
  trace
};

/// runtime-spec config-linux.md, "Seccomp": SCMP_CMP_*.
enum class SeccompCompare : std::uint8_t {
  not_equal,
  less,
  less_or_equal,
  equal,
  greater_or_equal,
  greater,
  masked_equal
};

struct SeccompArgument {
  std::uint32_t index = 0;
  std::uint64_t value = 0;
  std::uint64_t value_two = 0;  ///< of masked_equal: what the masked argument must be
  SeccompCompare compare = SeccompCompare::equal;
  bool operator==(const SeccompArgument&) const = default;
};

struct SeccompRule {
  std::vector<std::string> names = {};  ///< of system calls; those that libseccomp does not know
                                        ///< are skipped, as every runtime does
  SeccompAction action = SeccompAction::allow;
  std::optional<std::uint16_t> error = {};  ///< error: the errno that the call returns, else EPERM;
                                            ///< trace: what tracers read
  std::vector<SeccompArgument> arguments = {};  ///< all must hold
  bool operator==(const SeccompRule&) const = default;
};

struct SeccompRules {
  SeccompAction default_action = SeccompAction::error;
  std::optional<std::uint16_t> default_error = {};  ///< else EPERM
  std::vector<std::string> architectures = {};      ///< besides this machine's: "SCMP_ARCH_X86"
  std::vector<std::string> flags = {};              ///< "SECCOMP_FILTER_FLAG_LOG"
  std::string listener_path = {};                   ///< not supported; kept to be refused
  std::string listener_metadata = {};
  std::vector<SeccompRule> rules = {};
  bool operator==(const SeccompRules&) const = default;
};

using Capabilities = std::set<std::string>;

/// The built-in profile: what the containers' default allows to a step with `capabilities`.
SeccompRules default_seccomp_rules(const Capabilities& capabilities);

/// A profile in the containers' (archMap, includes, excludes) or the runtime specification's
/// format. Error{invalid_content} with the fault; Error{unsupported} for what is not done here.
SeccompRules parse_seccomp_profile(std::string_view json, const Capabilities& capabilities);

/// The filter as an array of sock_filter.
std::string compile_seccomp(const SeccompRules& rules);

/// The bits of `flags` for seccomp(2); Error{unsupported} for one that is not known.
std::uint32_t seccomp_flags(const std::vector<std::string>& flags);

}  // namespace lade::sandbox
