#include "libimage/task/run_graph.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <queue>
#include <thread>

#include "libimage/base/error.h"

namespace lade {
namespace {

struct Shared {
  std::mutex mutex;
  std::condition_variable_any changed;
  std::priority_queue<std::size_t, std::vector<std::size_t>, std::greater<>>
      ready;                         // guarded by mutex
  std::vector<std::size_t> missing;  // guarded by mutex: needs not yet done, for each node
  std::vector<std::vector<std::size_t>> waiting;  // for each node, who needs it; read only
  std::size_t running = 0;                        // guarded by mutex
  std::size_t done = 0;                           // guarded by mutex
  std::exception_ptr failure;                     // guarded by mutex
  std::stop_source stop;
};

void work(const std::vector<GraphNode>& nodes, Shared& shared) {
  std::unique_lock lock(shared.mutex);
  for (;;) {
    shared.changed.wait(lock, [&] {
      return !shared.ready.empty() || shared.running == 0 || shared.stop.stop_requested();
    });
    if (shared.stop.stop_requested() || shared.ready.empty()) return;
    const std::size_t node = shared.ready.top();
    shared.ready.pop();
    ++shared.running;
    lock.unlock();
    std::exception_ptr failure;
    try {
      nodes[node].run(shared.stop.get_token());
    } catch (...) {  // rethrown by run_graph on the caller's thread
      failure = std::current_exception();
    }
    lock.lock();
    --shared.running;
    ++shared.done;
    if (failure) {
      if (!shared.failure) shared.failure = failure;
      shared.stop.request_stop();
    } else {
      for (const std::size_t next : shared.waiting[node]) {
        if (--shared.missing[next] == 0) shared.ready.push(next);
      }
    }
    shared.changed.notify_all();
  }
}

}  // namespace

void run_graph(const std::vector<GraphNode>& nodes, unsigned workers, const std::stop_token& stop) {
  if (nodes.empty()) return;
  Shared shared;
  shared.missing.resize(nodes.size());
  shared.waiting.resize(nodes.size());
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    shared.missing[i] = nodes[i].needs.size();
    for (const std::size_t need : nodes[i].needs) {
      if (need >= nodes.size())
        throw Error(Errc::internal, "run graph: a node needs one that does not exist");
      shared.waiting[need].push_back(i);
    }
    if (nodes[i].needs.empty()) shared.ready.push(i);
  }
  {
    const std::stop_callback forward(stop, [&] {
      shared.stop.request_stop();
      const std::scoped_lock lock(shared.mutex);
      shared.changed.notify_all();
    });
    std::vector<std::jthread> threads;
    const std::size_t count = std::min<std::size_t>(std::max(workers, 1U), nodes.size());
    threads.reserve(count - 1);
    for (std::size_t i = 1; i < count; ++i) threads.emplace_back([&] { work(nodes, shared); });
    work(nodes, shared);
  }
  if (shared.failure) std::rethrow_exception(shared.failure);
  if (stop.stop_requested()) throw Cancelled();
  if (shared.done != nodes.size())
    throw Error(Errc::internal, "run graph: nodes depend on each other in a circle");
}

void parallel_for(std::size_t count, unsigned workers, const std::function<void(std::size_t)>& run,
                  const std::stop_token& stop) {
  if (count == 0) return;
  std::atomic<std::size_t> next = 0;
  std::vector<GraphNode> nodes(std::min<std::size_t>(std::max(workers, 1U), count));
  for (GraphNode& node : nodes) {
    node.run = [&](const std::stop_token& node_stop) {
      for (std::size_t i = next++; i < count; i = next++) {
        if (node_stop.stop_requested()) throw Cancelled();
        run(i);
      }
    };
  }
  run_graph(nodes, workers, stop);
}

}  // namespace lade
