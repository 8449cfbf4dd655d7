/// What a RootFs is made of; shared by root_fs.cpp and run_step.cpp.
#pragma once
#include <vector>

#include "libimage/container/root_fs.h"
#include "libimage/container/stacked_layer.h"

namespace lade {

struct RootFs::State {
  LocalStore* store = nullptr;
  RootFsOptions options = {};
  std::vector<RootFsLayer> layers = {};
  Stack stack = {};

  /// True if trees are copied and compared instead of stacked by overlayfs.
  [[nodiscard]] bool copies() const;
  [[nodiscard]] std::size_t merged() const {
    return merged_below(stack.size(), options.merge_every);
  }
};

}  // namespace lade
