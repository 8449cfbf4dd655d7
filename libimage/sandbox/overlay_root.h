/// The root of a step: a directory as it is, or an overlay mounted for it.
#pragma once
#include <span>
#include <string>

#include "libimage/base/unique_fd.h"
#include "libimage/sandbox/runtime_config.h"
#include "libimage/sandbox/setup_channel.h"

namespace lade::sandbox {

struct MountedRoot {
  DirFd tree = DirFd();         ///< the root of a detached mount
  UniqueFd upper = UniqueFd();  ///< of an overlay: the upper directory (O_PATH)
};

/// In the step's mount namespace. Device nodes on it have the effect that `root` says.
MountedRoot mount_root(const Root& root);

/// How an overlay is mounted: layer by layer through the new mount API (Linux 6.7), or by mount(2),
/// whose single page of options holds the descriptors' numbers of 500 layers.
enum class OverlayCall { layer_by_layer, one_page };
MountedRoot mount_overlay(const OverlayRoot& overlay, OverlayCall call);
/// By the newest way that this kernel has.
MountedRoot mount_overlay(const OverlayRoot& overlay);

/// Before the step, outside: empties the work directory, where a step that was killed with its
/// parent has left the mark that makes the kernel refuse it.
void prepare_overlay(const OverlayRoot& overlay);

/// After the step, outside: removes from the upper directory those of `copied_up` that the step
/// left as they were, and empties the work directory, so that the upper holds what the step
/// changed.
void tidy_overlay(const OverlayRoot& overlay, std::span<const CopiedUp> copied_up);

}  // namespace lade::sandbox
