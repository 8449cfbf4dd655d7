#include "libimage/task/run_graph.h"

#include <atomic>
#include <chrono>
#include <latch>
#include <mutex>
#include <numeric>
#include <random>
#include <set>
#include <string>
#include <thread>

#include <gtest/gtest.h>

#include "libimage/base/error.h"

namespace lade {
namespace {

using namespace std::chrono_literals;

/// The code of the Error that `body` throws; nullopt if it throws none.
template <typename Body>
std::optional<Errc> failure_of(const Body& body) {
  try {
    body();
  } catch (const Error& e) {
    return e.code();
  }
  return std::nullopt;
}

GraphNode failing(Errc code) {
  return {[code](const std::stop_token&) { throw Error(code, "node failed"); }};
}

/// Waits until `token` is stopped, then ends as a cancelled node does.
void wait_for_stop(const std::stop_token& token) {
  while (!token.stop_requested()) std::this_thread::sleep_for(1ms);
  throw Cancelled();
}

TEST(RunGraph, EmptyGraphIsDone) { run_graph({}, 4); }

TEST(RunGraph, RunsEveryNodeOnceAfterItsNeeds) {
  constexpr std::size_t kNodes = 400;
  for (const unsigned workers : {1U, 2U, 8U}) {
    std::mt19937 random(7);
    std::vector<std::atomic<int>> runs(kNodes);
    std::atomic<int> early = 0;
    std::vector<GraphNode> nodes(kNodes);
    for (std::size_t i = 0; i < kNodes; ++i) {
      for (std::size_t n = 0; i != 0 && n < random() % 4; ++n)
        nodes[i].needs.push_back(random() % i);
      nodes[i].run = [&, i](const std::stop_token&) {
        for (const std::size_t need : nodes[i].needs) early += runs[need] == 1 ? 0 : 1;
        ++runs[i];
      };
    }
    run_graph(nodes, workers);
    for (const auto& count : runs) EXPECT_EQ(count, 1);
    EXPECT_EQ(early, 0);
  }
}

TEST(RunGraph, OneWorkerStartsTheLowestReadyNodeFirst) {
  std::string order;
  const auto node = [&](char name, std::vector<std::size_t> needs) {
    return GraphNode{[&order, name](const std::stop_token&) { order += name; }, std::move(needs)};
  };
  run_graph({node('a', {3}), node('b', {}), node('c', {1}), node('d', {}), node('e', {0, 2})}, 1);
  EXPECT_EQ(order, "bcdae");
}

TEST(RunGraph, UsesAsManyThreadsAsWorkers) {
  std::latch all_running(3);
  const GraphNode node = {[&](const std::stop_token&) { all_running.arrive_and_wait(); }};
  run_graph({node, node, node}, 3);  // hangs with fewer
}

TEST(RunGraph, OneWorkerIsTheCallersThread) {
  std::thread::id id;
  run_graph({{[&](const std::stop_token&) { id = std::this_thread::get_id(); }}}, 1);
  EXPECT_EQ(id, std::this_thread::get_id());
}

TEST(RunGraph, ZeroWorkersAreOne) {
  int runs = 0;
  run_graph({{[&](const std::stop_token&) { ++runs; }}}, 0);
  EXPECT_EQ(runs, 1);
}

TEST(RunGraph, FirstFailureStopsItsSiblingsAndIsRethrown) {
  std::atomic<bool> reached = false;
  EXPECT_EQ(failure_of([&] {
              run_graph({{wait_for_stop},
                         failing(Errc::io),
                         {[&](const std::stop_token&) { reached = true; }, {0, 1}}},
                        2);
            }),
            Errc::io);
  EXPECT_FALSE(reached);
}

TEST(RunGraph, NodesBehindAFailureDoNotRun) {
  int runs = 0;
  EXPECT_EQ(failure_of([&] {
              run_graph({failing(Errc::unavailable), {[&](const std::stop_token&) { ++runs; }}}, 1);
            }),
            Errc::unavailable);
  EXPECT_EQ(runs, 0);
}

TEST(RunGraph, StopOfTheCallerReachesTheNodes) {
  std::stop_source stop;
  std::jthread canceller([&] {
    std::this_thread::sleep_for(10ms);
    stop.request_stop();
  });
  EXPECT_THROW(run_graph({{wait_for_stop}, {wait_for_stop}}, 2, stop.get_token()), Cancelled);
}

TEST(RunGraph, StopBeforeTheStartRunsNothing) {
  std::stop_source stop;
  stop.request_stop();
  int runs = 0;
  EXPECT_THROW(run_graph({{[&](const std::stop_token&) { ++runs; }}}, 2, stop.get_token()),
               Cancelled);
  EXPECT_EQ(runs, 0);
}

TEST(RunGraph, CircleIsAnErrorWhateverTheWorkers) {
  const auto nothing = [](const std::stop_token&) {};
  for (const unsigned workers : {1U, 4U}) {
    EXPECT_EQ(failure_of([&] {
                run_graph({{nothing, {1}}, {nothing, {0}}}, workers);
              }),
              Errc::internal);
    EXPECT_EQ(failure_of([&] { run_graph({{nothing}, {nothing, {1}}}, workers); }), Errc::internal);
  }
}

TEST(RunGraph, NeedThatDoesNotExistIsAnError) {
  EXPECT_EQ(failure_of([] {
              run_graph({{[](const std::stop_token&) {}, {5}}}, 1);
            }),
            Errc::internal);
}

TEST(RunGraph, NeedNamedTwiceCountsOnce) {
  int runs = 0;
  const auto count = [&](const std::stop_token&) { ++runs; };
  run_graph({{count}, {count, {0, 0}}}, 2);
  EXPECT_EQ(runs, 2);
}

TEST(ParallelFor, CallsEachIndexOnce) {
  for (const unsigned workers : {0U, 1U, 3U, 16U}) {
    std::vector<std::atomic<int>> calls(1000);
    parallel_for(calls.size(), workers, [&](std::size_t i) { ++calls[i]; });
    for (const auto& count : calls) EXPECT_EQ(count, 1);
  }
}

TEST(ParallelFor, NothingToDoIsDone) {
  parallel_for(0, 4, [](std::size_t) { FAIL(); });
}

TEST(ParallelFor, FirstFailureStopsTheRest) {
  std::atomic<std::size_t> calls = 0;
  EXPECT_EQ(failure_of([&] {
              parallel_for(1'000'000, 2, [&](std::size_t i) {
                ++calls;
                if (i == 10) throw Error(Errc::io, "disk full");
              });
            }),
            Errc::io);
  EXPECT_LT(calls, 1'000'000U);
}

TEST(ParallelFor, StopOfTheCallerEndsIt) {
  std::stop_source stop;
  std::atomic<std::size_t> calls = 0;
  EXPECT_THROW(parallel_for(
                   1'000'000, 2,
                   [&](std::size_t) {
                     if (++calls == 100) stop.request_stop();
                   },
                   stop.get_token()),
               Cancelled);
  EXPECT_LT(calls, 1'000'000U);
}

}  // namespace
}  // namespace lade
