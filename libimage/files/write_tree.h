#pragma once
#include <cstdint>

#include "libimage/files/image_files.h"
#include "libimage/io/stream.h"

namespace lade::files {

struct WrittenTree {
  std::uint64_t entries = 0;
  /// Names that were left out: whiteouts, and hard links to what is not in the one layer shown.
  std::uint64_t left_out = 0;
};

/// Writes what `files` (of `image`) shows at `top` and below it as a tar: directories, links and
/// devices first, then the content of each layer in its order, so that a layer is read once at the
/// most. Paths are those of the image. Content is verified as far as ImageFiles::is_verified().
WrittenTree write_tree(ImageFiles& image, const MergedFiles& files, PathId top, Sink& out);

}  // namespace lade::files
