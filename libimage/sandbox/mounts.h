/// The mounts of a step, made in its root through directory descriptors: nothing of the host can be
/// reached but what was opened before.
#pragma once
#include <string>
#include <vector>

#include "libimage/base/unique_fd.h"
#include "libimage/sandbox/mount_options.h"
#include "libimage/sandbox/mount_point.h"
#include "libimage/sandbox/runtime_config.h"

namespace lade::sandbox {

/// Attaches the detached `tree` at `place` of this process's mount namespace.
void attach_root(const DirFd& tree, const std::string& place);

/// Makes `tree` (attached) the root of this process's mount namespace and leaves the old one.
void enter_root(const DirFd& tree);

/// Mounts `config.mounts` in order; `bind_trees[i]` is the detached mount of a bind or an overlay,
/// -1 otherwise.
void mount_all(const RuntimeConfig& config, const std::vector<int>& bind_trees,
               MountPoints& points);

/// Covers `masked` (those that exist) with nothing and makes `readonly` read-only.
void restrict_paths(const DirFd& root, const std::vector<std::string>& masked,
                    const std::vector<std::string>& readonly);

enum class Access { read_only, read_write };
/// Of the mount that `root` is on.
void set_access(const DirFd& root, Access access);

}  // namespace lade::sandbox
