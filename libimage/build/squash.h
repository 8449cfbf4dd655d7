#pragma once
#include <cstddef>

#include "libimage/build/build_run.h"

namespace lade::build {

/// Makes one layer of those of `state` above the lowest `kept`, with everything that they changed
/// and nothing that a later one took away. The history keeps its lines, as of steps without a
/// layer, and gets one for the new layer. Cached like a step. Nothing happens to less than two
/// layers.
void squash_layers(const BuildRun& run, StageState& state, std::size_t kept);

}  // namespace lade::build
