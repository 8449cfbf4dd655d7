/// A "cgroup" mount: what a container sees of the control groups.
#pragma once
#include "libimage/base/unique_fd.h"
#include "libimage/sandbox/mount_options.h"
#include "libimage/sandbox/runtime_config.h"

namespace lade::sandbox {

/// The detached tree: version 2's hierarchy where that is all there is, else a directory with each
/// of version 1's. In a cgroup namespace of the container's, or without one showing its own groups
/// alone. Called while the host's paths can be reached.
UniqueFd cgroup_tree(const RuntimeConfig& config, const MountOptions& options);

}  // namespace lade::sandbox
