/// What a RootFs is made of; shared by root_fs.cpp and run_step.cpp.
#pragma once
#include <vector>

#include "libimage/container/root_fs.h"
#include "libimage/container/stacked_layer.h"

namespace lade {

struct RootFs::State {
  LocalStore* store = nullptr;
  RootFsOptions options = {};
  std::shared_ptr<StackedLayer> top = {};  ///< nullptr: an empty root

  [[nodiscard]] std::size_t depth() const noexcept { return top ? top->depth() : 0; }
  /// Base layer first.
  [[nodiscard]] Stack stack() const { return stack_of(top); }

  /// True if steps run in copies of the tree instead of on overlayfs.
  [[nodiscard]] bool copies() const;
  /// True if lookups should look into whole trees. Snapshots that are there answer without asking
  /// what this machine can mount, which takes milliseconds.
  [[nodiscard]] bool looks_into_whole_trees() const;
  [[nodiscard]] std::size_t merged() const { return merged_below(depth(), options.merge_every); }
};

}  // namespace lade
