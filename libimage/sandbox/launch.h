/// Starts the re-executed process that becomes a step or a container, and makes for it what only
/// its parent can: sources of mounts, the filter, ids, control groups.
#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "libimage/base/unique_fd.h"
#include "libimage/sandbox/cgroup.h"
#include "libimage/sandbox/runtime_config.h"
#include "libimage/sandbox/spawn.h"
#include "libimage/sandbox/step_spec.h"

namespace lade::sandbox {

/// Descriptors 0 to 2 are the step's streams, so nothing else may have such a number.
UniqueFd above_streams(UniqueFd fd);

struct LaunchPlan {
  const RuntimeConfig& config;
  InitMode mode = InitMode::step;
  int input = -1;  ///< -1: nothing can be read
  int output = 1;
  int errors = 2;
  int start_fifo = -1;             ///< container
  int console_socket = -1;         ///< where process.terminal's other end goes
  std::uint32_t preserve_fds = 0;  ///< from 3 on
  Keyring keyring = Keyring::own;
  std::string state_head = {};           ///< for hooks
  std::map<Namespace, int> joined = {};  ///< joined: the container's namespaces
  const Hosting* hosting = nullptr;      ///< hosted
  const Cgroup* cgroup = nullptr;        ///< entered before anything is done
  const std::string* filter = nullptr;   ///< compiled config.seccomp, if it is known already
};

struct Launched {
  Spawned spawned;
  UniqueFd channel;  ///< closing it ends a step
};

/// Validated configurations only. Throws what failed before the process was on its own; from then
/// on failures come through the channel.
Launched launch(const LaunchPlan& plan);

}  // namespace lade::sandbox
