/// The recorded state of a tree, what differs between two, and the same differences read from an
/// overlayfs upper.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "libimage/layer/entry.h"

namespace lade {

/// Identity of a file within one file system, for hard links and for the question "was it touched".
struct Inode {
  std::uint64_t device = 0;
  std::uint64_t number = 0;
  std::uint64_t links = 1;
  Timestamp changed = {};  ///< ctime
  bool operator==(const Inode&) const = default;
};

struct SnapshotEntry {
  Attributes attributes = {};
  Inode inode = {};
};

/// Paths (clean, relative, bytewise order; "" is the root) to what was there.
using Snapshot = std::map<std::string, SnapshotEntry>;

struct CaptureOptions {
  bool xattrs = true;
};

/// Walks `root` without following links; of mount points below it the attributes are recorded, not
/// the content; sockets are left out (layer.md has no type for them).
Snapshot capture(const DirFd& root, const CaptureOptions& options = {});

/// What must be in a layer that turns `lower` into `upper`, sorted by path: additions,
/// modifications, whiteouts (each before its siblings), hard link groups (first path in order
/// carries the content; if one name changed, all are written). Files are the same if attributes are
/// equal and inode number, size and ctime show that the content cannot have changed; where that is
/// not certain the contents are compared. Directories that differ only in mtime are written too,
/// but for the root, whose mtime tells when the tree was unpacked. Sorted directory by directory,
/// bytewise. `upper_root` gives the content.
std::vector<LayerEntry> diff(const Snapshot& lower, const Snapshot& upper, const DirFd& lower_root,
                             std::shared_ptr<const DirFd> upper_root);

/// The same list read from an overlayfs upper directory: character devices 0:0 are whiteouts,
/// (or, since Linux 6.7, empty files with the xattr overlay.whiteout), trusted.overlay.opaque or
/// user.overlay.opaque "y" is opaque ("x" only announces such files), overlay's own xattrs are left
/// out. What an opaque directory or a socket hides becomes whiteouts of the names, as layer.md asks
/// of writers; only without `lower` is a directory written as opaque. metacopy and redirect are not
/// used by our mounts; an upper that has them is Error{unsupported}. `lower` are the lower
/// directories, topmost first: files copied up without a change are recognised by them and left
/// out.
std::vector<LayerEntry> changes_of_upper(std::shared_ptr<const DirFd> upper,
                                         const std::vector<const DirFd*>& lower);

}  // namespace lade
