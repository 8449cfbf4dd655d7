/// What names reach in the local store; shared by prune.cpp and cache.cpp.
#pragma once
#include <cstdint>
#include <set>

#include "libimage/local/local_store.h"

namespace lade {

/// What names and steps reach.
struct Reached {
  std::set<Digest> blobs = {};
  std::set<ChainId> chains = {};
  std::set<DiffId> step_layers = {};
};

/// Adds what the entries of index.json reach.
void reach_names(LayoutStore& images, Reached& reached);

/// Disk space of a tree; hard links count once for each name.
std::uint64_t tree_bytes(const DirFd& root);

/// The step kept in file `key`; nullopt if there is none or it is damaged.
std::optional<StepResult> read_step(const DirFd& steps, const std::string& key);

}  // namespace lade
