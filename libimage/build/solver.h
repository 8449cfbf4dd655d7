/// Executes the stages of all platforms, step by step, at the same time where they allow it
/// (docs/design/0016-build-solver.md).
#pragma once
#include <memory>
#include <stop_token>
#include <vector>

#include "libimage/build/build_run.h"
#include "libimage/build/result.h"
#include "libimage/build/stage_graph.h"

namespace lade::build {

/// Returns the last stage for each of the graph's platforms, all its layers in the store. The first
/// step that fails stops the others; its Error has place and excerpt.
std::vector<FinishedTarget> solve(BuildRun& run, StageGraph graph, const std::stop_token& stop);

}  // namespace lade::build
