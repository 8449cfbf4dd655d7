/// The mount system calls as the set-up makes them.
#pragma once
#include <string>

#include "libimage/base/unique_fd.h"
#include "libimage/sandbox/mount_options.h"

namespace lade::sandbox {

/// Attaches the detached mount `tree` on what `target` (O_PATH) is.
void attach(int tree, int target);

/// A new, detached mount of a file system; `source` is what /proc/mounts shows as the device.
UniqueFd new_mount(const std::string& type, const std::string& source, const MountOptions& options);

/// A detached copy of the mount, or of the part of it, that `place` is.
enum class Depth { this_mount, with_mounts_below };
UniqueFd clone_mount(int place, Depth depth);

/// Sets what the options say of a detached or attached mount `tree`; `propagation` (MS_*) only if
/// it is not 0.
void set_attributes(int tree, const MountOptions& options, Depth depth, unsigned propagation);

}  // namespace lade::sandbox
