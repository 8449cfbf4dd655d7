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

/// Attaches a detached tree at "/" of this process's mount namespace for as long as it lives: parts
/// of a tree can be made and cloned only while it is somewhere. Nothing may stay there: the old
/// root, left later, would be under it, and only one of them is left.
class Staged {
 public:
  explicit Staged(int tree);
  Staged(const Staged&) = delete;
  Staged& operator=(const Staged&) = delete;
  ~Staged();
};

/// Sets what the options say of a detached or attached mount `tree`; `propagation` (MS_*) only if
/// it is not 0.
void set_attributes(int tree, const MountOptions& options, Depth depth, unsigned propagation);

}  // namespace lade::sandbox
