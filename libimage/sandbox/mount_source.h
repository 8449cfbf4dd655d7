/// What a step's mounts show of other trees, as detached mounts with the options' attributes.
#pragma once
#include "libimage/base/unique_fd.h"
#include "libimage/sandbox/runtime_config.h"

namespace lade::sandbox {

/// Opens a bind mount's source with the caller's rights, in the caller's mount namespace.
UniqueFd open_bind_source(const Mount& mount);

/// Mounts an overlay and takes what `mount.source` names in it. In the step's mount namespace,
/// while the host's paths can be reached.
UniqueFd open_overlay_source(const Mount& mount);

/// Makes a file in memory with the mount's content, as open_overlay_source() makes its piece.
UniqueFd open_content_source(const Mount& mount);

}  // namespace lade::sandbox
