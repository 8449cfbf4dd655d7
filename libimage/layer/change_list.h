/// From files that differ to the entries of a layer: order and hard links. Internal to the layer
/// module.
#pragma once
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "libimage/layer/snapshot.h"

namespace lade {

/// Directory by directory: a directory before what it holds, whiteouts before their siblings,
/// names bytewise.
bool comes_before(const LayerEntry& a, const LayerEntry& b) noexcept;

/// Collects what differs and makes the entries of a layer of it.
class ChangeList {
 public:
  explicit ChangeList(std::shared_ptr<const DirFd> content_root)
      : content_root_(std::move(content_root)) {}

  enum class State { unchanged, changed };
  /// A file of the new tree. Unchanged ones matter if they are other names of changed ones, and are
  /// otherwise left out.
  void add(std::string path, const SnapshotEntry& file, State state);
  void add_whiteout(std::string path);
  void add_opaque(std::string path);

  /// The entries in order. Of the names of one file the first carries the content; if one of them
  /// changed, all are written, so that they stay one file.
  std::vector<LayerEntry> finish();

 private:
  struct Item {
    LayerEntry entry;
    Inode inode = {};
    State state = State::changed;
  };
  std::shared_ptr<const DirFd> content_root_;
  std::vector<Item> items_;
};

/// True if the root directories differ at most in mtime: that one tells when the tree was unpacked.
bool same_root(const Attributes& a, const Attributes& b);

/// True if the regular file `path` has the same bytes in both trees.
bool same_content(const DirFd& a, const DirFd& b, const std::string& path);
/// As above, for `name` in two open directories.
bool same_content_at(const DirFd& a, const DirFd& b, const std::string& name);

}  // namespace lade
