#include "libimage/container/stacked_layer.h"

#include <algorithm>
#include <utility>

#include <unistd.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/compress/codec.h"
#include "libimage/container/tree_copy.h"
#include "libimage/io/path.h"
#include "libimage/layer/apply_layer.h"
#include "libimage/layer/file_attributes.h"
#include "libimage/layer/set_attributes.h"

namespace lade {
namespace {

/// Applies the layer's blob to `root` and checks that it is what the image's config promises.
void apply_blob(LocalStore& store, const RootFsLayer& layer, const DirFd& root,
                const ApplyOptions& options) {
  with_context([&] { return cat("unpack layer ", layer.blob.digest.brief()); },
               [&] {
                 if (layer.source) layer.source->fetch(layer.blob);
                 store.require(layer.blob);
                 const auto tar = decompressed(store.images().open(layer.blob));
                 const ApplyResult applied = apply_layer(root, *tar, options);
                 if (applied.diff_id == layer.diff_id) return;
                 store.break_promise(layer.blob.digest);
                 throw Error(Errc::digest_mismatch,
                             cat("its content is ", applied.diff_id.value.str(),
                                 ", but the config's diff ID is ", layer.diff_id.value.str()));
               });
}

ApplyOptions apply_options() {
  ApplyOptions options;
  options.rights = rights_in_store();
  return options;
}

std::string unpack_layer(LocalStore& store, const StackedLayer& layer,
                         const std::vector<StackedLayer::Tree>& below) {
  auto workspace = store.workspace();
  {
    const DirFd root = open_dir(workspace->fs_path());
    ApplyOptions options = apply_options();
    if (!below.empty()) {
      options.overlay_whiteouts = true;
      for (const StackedLayer::Tree& tree : below) options.lower.push_back(tree.dir.get());
      copy_directory_attributes(*below.front().dir, root);
    }
    apply_blob(store, layer.layer(), root, options);
  }
  return store.publish(std::move(workspace), layer.parent(), layer.layer().diff_id).fs_path;
}

std::string make_whole(LocalStore& store, StackView stack) {
  const StackedLayer& top = *stack.back();
  if (auto known = store.unpacked(top.chain(), SnapshotForm::whole)) return known->fs_path;
  auto workspace = store.workspace();
  {
    const DirFd root = open_dir(workspace->fs_path());
    std::size_t have = stack.size() - 1;
    for (; have > 0; --have) {
      const auto lower = store.unpacked(stack[have - 1]->chain(), SnapshotForm::whole);
      if (!lower) continue;
      copy_tree(open_dir(lower->fs_path), root);
      break;
    }
    for (const auto& layer : stack.subspan(have)) {
      apply_blob(store, layer->layer(), root, apply_options());
    }
  }
  return store.publish(std::move(workspace), top.parent(), top.layer().diff_id, SnapshotForm::whole)
      .fs_path;
}

}  // namespace

StackedLayer::StackedLayer(const RootFsLayer& layer, std::shared_ptr<StackedLayer> below,
                           std::shared_ptr<const std::vector<LayerEntry>> entries)
    : layer_(layer),
      below_(std::move(below)),
      depth_(below_ ? below_->depth() + 1 : 1),
      chain_(chain_id(parent(), layer.diff_id)),
      entries_(std::move(entries)) {}

StackedLayer::~StackedLayer() {
  // Whoever drops the last share of a layer drops those below it here, one by one.
  std::shared_ptr<StackedLayer> next = std::move(below_);
  while (next && next.use_count() == 1) {
    std::shared_ptr<StackedLayer> under = std::move(next->below_);
    next = std::move(under);
  }
}

std::optional<ChainId> StackedLayer::parent() const {
  if (!below_) return std::nullopt;
  return below_->chain();
}

Stack stack_of(const std::shared_ptr<StackedLayer>& top) {
  Stack stack(top ? top->depth() : 0);
  for (const std::shared_ptr<StackedLayer>* layer = &top; *layer; layer = &(*layer)->below())
    stack[(*layer)->depth() - 1] = *layer;
  return stack;
}

std::shared_ptr<const MemoryTree> StackedLayer::in_memory() {
  const std::lock_guard lock(list_lock_);
  if (!list_known_) {
    list_known_ = true;
    if (entries_) list_ = std::make_shared<MemoryTree>(entries_);
    if (list_ && !list_->usable()) list_ = nullptr;
  }
  return list_;
}

void StackedLayer::distrust_list() {
  const std::lock_guard lock(list_lock_);
  list_known_ = true;
  list_ = nullptr;
}

StackedLayer::Tree StackedLayer::opened(const std::string& path) {
  return {path, std::make_shared<const DirFd>(open_dir(path))};
}

std::size_t merged_below(std::size_t depth, std::size_t merge_every) noexcept {
  if (depth <= 2 * merge_every) return 0;
  return ((depth - 1) / merge_every - 1) * merge_every;
}

std::vector<StackedLayer::Tree> overlay_trees(LocalStore& store, StackView stack,
                                              std::size_t merged) {
  std::vector<StackedLayer::Tree> trees;
  if (merged > 0) trees.push_back(whole_tree(store, stack.first(merged)));
  for (std::size_t depth = merged + 1; depth <= stack.size(); ++depth) {
    trees.push_back(layer_tree(store, stack.first(depth), merged));
  }
  std::reverse(trees.begin(), trees.end());
  return trees;
}

StackedLayer::Tree layer_tree(LocalStore& store, StackView stack, std::size_t merged) {
  const auto& top = stack.back();
  return top->tree(SnapshotForm::layer, [&] {
    if (auto known = store.unpacked(top->chain())) return known->fs_path;
    return unpack_layer(store, *top, overlay_trees(store, stack.first(stack.size() - 1), merged));
  });
}

StackedLayer::Tree whole_tree(LocalStore& store, StackView stack) {
  return stack.back()->tree(SnapshotForm::whole, [&] { return make_whole(store, stack); });
}

void copy_directory_attributes(const DirFd& from, const DirFd& to) {
  set_node_attributes(to.get(), look_at_directory(from, true).entry.attributes, rights_in_store(),
                      OldXattrs::replace);
}

}  // namespace lade
