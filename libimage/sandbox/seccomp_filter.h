/// Seccomp rules as values, where they come from, and the kernel's filter made of them.
#pragma once
#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace lade::sandbox {

enum class SeccompAction { allow, error, kill_thread, kill_process, trap, log };

/// runtime-spec config-linux.md, "Seccomp": SCMP_CMP_*.
enum class SeccompCompare {
  not_equal,
  less,
  less_or_equal,
  equal,
  greater_or_equal,
  greater,
  masked_equal
};

struct SeccompArgument {
  unsigned index = 0;
  std::uint64_t value = 0;
  std::uint64_t value_two = 0;  ///< of masked_equal: what the masked argument must be
  SeccompCompare compare = SeccompCompare::equal;
};

struct SeccompRule {
  std::vector<std::string> names = {};  ///< of system calls; those that libseccomp does not know
                                        ///< are skipped, as every runtime does
  SeccompAction action = SeccompAction::allow;
  std::uint16_t error = 1;                      ///< action error: the errno that the call returns
  std::vector<SeccompArgument> arguments = {};  ///< all must hold
};

struct SeccompRules {
  SeccompAction default_action = SeccompAction::error;
  std::uint16_t default_error = 38;             ///< ENOSYS
  std::vector<std::string> architectures = {};  ///< besides this machine's: "SCMP_ARCH_X86"
  std::vector<SeccompRule> rules = {};
};

using Capabilities = std::set<std::string>;

/// The built-in profile: what the containers' default allows to a step with `capabilities`.
SeccompRules default_seccomp_rules(const Capabilities& capabilities);

/// A profile in the containers' (archMap, includes, excludes) or the runtime specification's
/// format. Error{invalid_content} with the fault; Error{unsupported} for what is not done here.
SeccompRules parse_seccomp_profile(std::string_view json, const Capabilities& capabilities);

/// The filter as an array of sock_filter.
std::string compile_seccomp(const SeccompRules& rules);

}  // namespace lade::sandbox
