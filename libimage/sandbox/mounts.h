/// The mounts of a step, made after its root has become "/": nothing of the host can be reached by
/// then but what was opened before.
#pragma once
#include <vector>

#include "libimage/base/unique_fd.h"
#include "libimage/sandbox/mount_options.h"
#include "libimage/sandbox/mount_point.h"
#include "libimage/sandbox/runtime_config.h"

namespace lade::sandbox {

/// Opens a bind mount's source with the caller's rights: a detached, private mount with the
/// options' attributes.
UniqueFd open_bind_source(const Mount& mount);

/// Mounts an overlay and takes what `mount.source` names in it: a detached, private mount with the
/// options' attributes. In the step's mount namespace, while the host's paths can be reached.
UniqueFd open_overlay_source(const Mount& mount);

/// Makes a file in memory with the mount's content, as open_overlay_source() makes its piece.
UniqueFd open_content_source(const Mount& mount);

/// Makes `tree` (detached) the root of this process's mount namespace and leaves the old one.
void enter_root(const DirFd& tree);

/// Mounts `mounts` in order; `bind_trees[i]` is the detached mount of a bind or
/// an overlay, -1 otherwise. A tmpfs
/// on /dev gets the devices that containers expect.
void mount_all(const std::vector<Mount>& mounts, const std::vector<int>& bind_trees,
               MountPoints& points);

/// Covers `masked` (those that exist) with nothing and makes `readonly` read-only.
void restrict_paths(const DirFd& root, const std::vector<std::string>& masked,
                    const std::vector<std::string>& readonly);

enum class Access { read_only, read_write };
/// Of the mount that `root` is on.
void set_access(const DirFd& root, Access access);

}  // namespace lade::sandbox
