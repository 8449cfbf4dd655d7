/// Mounts of `lade run`: --mount and --tmpfs, and the image's volumes.
#pragma once
#include <vector>

#include "libimage/build/stored_image.h"
#include "libimage/container/shown_tree.h"

#include "tools/common/options.h"

namespace lade::tools {

/// What --mount and --tmpfs ask for, and the order in which mounts are made. Throws UsageError, and
/// Error{unsupported} for what is not implemented.
std::vector<sandbox::Mount> read_mounts(const Arguments& arguments);

/// Puts what `mounts` hold, and what `step` has from `first` on, in the order of their depth, so
/// that none covers another. One place twice is a UsageError.
void add_mounts(sandbox::RuntimeConfig& step, std::size_t first,
                std::vector<sandbox::Mount> mounts);

/// Trees for the volumes of `image` that none of `step`'s mounts from `first` on covers; each
/// begins with what the image has there. Keep them until the step has ended.
std::vector<ShownTree> add_image_volumes(LocalStore& store, build::StoredImage& image,
                                         sandbox::RuntimeConfig& step, std::size_t first);

}  // namespace lade::tools
