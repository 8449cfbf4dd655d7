#pragma once
#include <cstddef>
#include <functional>
#include <stop_token>
#include <vector>

namespace lade {

/// A node of a graph of work. `run` gets a token that stops when a sibling failed or the caller
/// asked.
struct GraphNode {
  std::function<void(const std::stop_token&)> run;
  std::vector<std::size_t> needs = {};  ///< indices of nodes that must be done first
};

/// Runs every node once, after its needs, on at most `workers` threads (at least 1; the calling
/// thread is one of them). A node never waits for another node, so any number of workers is enough.
/// Among ready nodes the lowest index starts first. The first exception stops the rest: nodes not
/// started are skipped, then it is rethrown. A cycle or an index out of range is Error{internal}.
/// Throws Cancelled if `stop` was requested and nothing else failed.
void run_graph(const std::vector<GraphNode>& nodes, unsigned workers,
               const std::stop_token& stop = {});

/// run(i) for i in [0, count), in parallel.
void parallel_for(std::size_t count, unsigned workers, const std::function<void(std::size_t)>& run,
                  const std::stop_token& stop = {});

}  // namespace lade
