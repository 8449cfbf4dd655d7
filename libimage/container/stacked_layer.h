/// A layer in its place in a stack, unpacked when somebody needs its files. Shared by all stacks
/// that have the same layers below it.
#pragma once
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "libimage/container/memory_tree.h"
#include "libimage/container/root_fs.h"
#include "libimage/local/local_store.h"

namespace lade {

class StackedLayer {
 public:
  /// On top of `below`; nullptr: the lowest.
  StackedLayer(const RootFsLayer& layer, std::shared_ptr<StackedLayer> below,
               std::shared_ptr<const std::vector<LayerEntry>> entries);
  /// Drops a stack of any depth without recursion.
  ~StackedLayer();
  StackedLayer(const StackedLayer&) = delete;
  StackedLayer& operator=(const StackedLayer&) = delete;

  [[nodiscard]] const RootFsLayer& layer() const noexcept { return layer_; }
  [[nodiscard]] const std::shared_ptr<StackedLayer>& below() const noexcept { return below_; }
  /// How many layers there are, with this one.
  [[nodiscard]] std::size_t depth() const noexcept { return depth_; }
  /// Chain ID of what is below.
  [[nodiscard]] std::optional<ChainId> parent() const;
  [[nodiscard]] const ChainId& chain() const noexcept { return chain_; }

  /// The layer's own list, unless there is none, or it does not tell enough.
  std::shared_ptr<const MemoryTree> in_memory();
  /// From now on in_memory() is null.
  void distrust_list();

  /// Where the snapshot of that form is, once it was made.
  struct Tree {
    std::string path;
    std::shared_ptr<const DirFd> dir;
  };
  /// Makes the snapshot once, however many threads ask: `make` returns its path.
  template <typename Make>
  Tree tree(SnapshotForm form, const Make& make) {
    const std::lock_guard lock(making_);
    std::optional<Tree>& known = form == SnapshotForm::layer ? own_ : whole_;
    if (!known) known = opened(make());
    return *known;
  }

 private:
  static Tree opened(const std::string& path);

  const RootFsLayer layer_;
  std::shared_ptr<StackedLayer> below_;  // changed by the destructor only
  const std::size_t depth_;
  const ChainId chain_;
  const std::shared_ptr<const std::vector<LayerEntry>> entries_;
  std::mutex list_lock_;
  bool list_known_ = false;                 // guarded by list_lock_
  std::shared_ptr<const MemoryTree> list_;  // guarded by list_lock_
  std::mutex making_;
  std::optional<Tree> own_;    // guarded by making_
  std::optional<Tree> whole_;  // guarded by making_
};

/// Base layer first.
using Stack = std::vector<std::shared_ptr<StackedLayer>>;
using StackView = std::span<const std::shared_ptr<StackedLayer>>;

/// `top` and all below it.
Stack stack_of(const std::shared_ptr<StackedLayer>& top);

/// How many of the lowest layers of a stack of `depth` are merged into one tree.
std::size_t merged_below(std::size_t depth, std::size_t merge_every) noexcept;

/// The trees that make up `stack` for overlayfs, topmost first, unpacking what is not; the lowest
/// `merged` layers are one tree.
std::vector<StackedLayer::Tree> overlay_trees(LocalStore& store, StackView stack,
                                              std::size_t merged);

/// The topmost layer's own tree in overlayfs form; `stack` has more than `merged` layers.
StackedLayer::Tree layer_tree(LocalStore& store, StackView stack, std::size_t merged);

/// The merged tree of `stack` (not empty) as plain files.
StackedLayer::Tree whole_tree(LocalStore& store, StackView stack);

/// Gives directory `to` the mode, owner, xattrs and mtime of directory `from`.
void copy_directory_attributes(const DirFd& from, const DirFd& to);

}  // namespace lade
