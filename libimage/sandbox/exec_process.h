/// The last part of a step's set-up: one process becomes the user's command.
#pragma once
#include <cstdint>
#include <functional>
#include <span>
#include <string_view>

#include "libimage/base/unique_fd.h"
#include "libimage/sandbox/runtime_config.h"
#include "libimage/sandbox/step_spec.h"

namespace lade::sandbox {

/// Whether the primary group is a supplementary one as well.
enum class PrimaryGroup : std::uint8_t { supplementary_too, as_given };

enum class Streams : std::uint8_t {
  own_null,   ///< the input is the container's null device
  inherited,  ///< as they are
};

struct ProcessPlan {
  const Process& process;
  std::string_view seccomp_filter = {};  ///< an array of sock_filter; empty: no filter
  std::uint32_t seccomp_flags = 0;
  int cwd = -1;      ///< O_PATH, inside the root
  int channel = -1;  ///< where a failure of the set-up is told
  Streams streams = Streams::own_null;
  int console = -1;  ///< becomes the controlling terminal and the streams
  Keyring keyring = Keyring::own;
  PrimaryGroup primary_group = PrimaryGroup::as_given;
  std::span<const int> cgroup_fds =
      {};  ///< entered first, then a cgroup namespace is made if asked
  bool new_cgroup_namespace = false;
  std::uint32_t preserve_fds = 0;    ///< descriptors from 3 on that stay open
  unsigned long personality = ~0UL;  ///< personality(2); all bits: as it is
  /// Called when all is done but the start, with everything dropped already; returns when the
  /// command is to start.
  std::function<void()> ready = {};
};

/// In a process of its own, inside the root: takes on the step's session, limits, ids, capabilities
/// and filter, then executes the command. A failure of the set-up goes to the channel, or to
/// descriptor 2 where nobody listens; a command that cannot be executed says so on descriptor 2 and
/// exits 127 (not found) or 126.
[[noreturn]] void exec_process(const ProcessPlan& plan) noexcept;

/// The path of the command, looked up as exec_process() does, in a process that is inside the root:
/// Error{not_found, denied} in the words that engines look for.
void check_command(const Process& process);

}  // namespace lade::sandbox
