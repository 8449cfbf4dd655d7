/// Attributes of one file of a tree, as snapshots record them. Internal to the layer module.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include <sys/stat.h>

#include "libimage/base/unique_fd.h"
#include "libimage/layer/snapshot.h"
#include "libimage/layer/xattrs.h"

namespace lade {

/// One name of a directory, looked at without following links.
struct FoundFile {
  SnapshotEntry entry = {};
  OverlayMarks overlay = {};
  std::uint64_t mount = 0;  ///< id of the mount it lies in
  /// Hides what lower layers have: an overlayfs whiteout in either form, or a socket.
  bool whiteout = false;
  bool socket = false;  ///< layers have no type for it; `entry` is empty
};

/// Looks at `name` in `dir`; nullopt if it is not there.
std::optional<FoundFile> find_file(const DirFd& dir, const std::string& name, bool xattrs);

/// Looks at the directory `dir` itself.
FoundFile look_at_directory(const DirFd& dir, bool xattrs);

/// The names in `dir`, in bytewise order.
std::vector<std::string> sorted_names(const DirFd& dir);

/// True for overlayfs's own mark of a removed file: character device 0:0.
inline bool is_whiteout_device(const struct stat& st) noexcept {
  return S_ISCHR(st.st_mode) && st.st_rdev == 0;
}

}  // namespace lade
