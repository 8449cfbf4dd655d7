/// What the re-executed process reads from its parent: the configuration and what only the parent
/// could prepare. Passed as length-prefixed binary values in an inherited memory file.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "libimage/sandbox/runtime_config.h"

namespace lade::sandbox {

/// argv[0] of the re-executed program; argv[1] is the descriptor of the memory file.
inline constexpr std::string_view kStepProgramName = "lade-sandbox-step";

struct StepSpec {
  RuntimeConfig config = {};
  std::string seccomp_filter = {};  ///< an array of sock_filter; empty: no filter
  std::vector<int> mount_fds = {};  ///< one for each mount: the detached bind mount, or -1
  int channel = -1;                 ///< the set-up channel
};

std::string encode(const StepSpec& spec);

/// Error{invalid_content} unless `bytes` is exactly what encode() writes.
StepSpec decode_step_spec(std::string_view bytes);

}  // namespace lade::sandbox
