/// The device nodes of a container.
#pragma once
#include "libimage/sandbox/mount_point.h"
#include "libimage/sandbox/runtime_config.h"

namespace lade::sandbox {

/// Makes the devices and links that every container has (runtime-spec config-linux.md, "Default
/// Devices" and "/dev symbolic links") in a tmpfs on /dev, or in the root's own /dev where device
/// nodes of the root are effective; then `config.devices`. In a user namespace, where no node can
/// be made, the host's are bound: they must be reachable yet.
void make_devices(const RuntimeConfig& config, MountPoints& points);

}  // namespace lade::sandbox
