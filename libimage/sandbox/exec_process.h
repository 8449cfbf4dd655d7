/// The last part of a step's set-up: one process becomes the user's command.
#pragma once
#include <string_view>

#include "libimage/base/unique_fd.h"
#include "libimage/sandbox/runtime_config.h"

namespace lade::sandbox {

struct ProcessPlan {
  const Process& process;
  std::string_view seccomp_filter;  ///< an array of sock_filter; empty: no filter
  int cwd = -1;                     ///< O_PATH, inside the root
  int channel = -1;                 ///< where a failure of the set-up is told
};

/// In a process of its own, inside the root: takes on the step's session, limits, ids, capabilities
/// and filter, then executes the command. A failure of the set-up goes to the channel; a command
/// that cannot be executed says so on descriptor 2 and exits 127 (not found) or 126.
[[noreturn]] void exec_process(const ProcessPlan& plan) noexcept;

}  // namespace lade::sandbox
