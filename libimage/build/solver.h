/// Executes the stages of all platforms, step by step, at the same time where they allow it
/// (docs/design/0016-build-solver.md).
#pragma once
#include <memory>
#include <set>
#include <stop_token>
#include <vector>

#include "libimage/build/build_run.h"
#include "libimage/build/result.h"
#include "libimage/build/stage_graph.h"

namespace lade::build {

/// Thrown by solve(): a base image's triggers read stages, images or contexts that the graph does
/// not have, or an argument that differs between the platforms that share the stage. Nothing of
/// that stage has been executed; what other stages made is in the cache.
struct NewTriggerSources {
  std::size_t stage = 0;  ///< in the Containerfile
  std::set<std::string> from = {};
  std::set<std::string> declares = {};  ///< arguments that keep the stage of platforms apart
};

/// Returns the last stage for each of the graph's platforms, all its layers in the store. The first
/// step that fails stops the others; its Error has place and excerpt. Throws NewTriggerSources.
std::vector<FinishedTarget> solve(BuildRun& run, StageGraph graph, const std::stop_token& stop);

}  // namespace lade::build
