#include "libimage/task/work_queue.h"

#include <atomic>
#include <latch>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "libimage/base/error.h"

namespace lade {
namespace {

TEST(WorkQueue, RunsWhatWorkAddsInTheirOrder) {
  WorkQueue queue({});
  std::vector<int> seen;
  queue.add(5, [&] {
    seen.push_back(5);
    queue.add(9, [&] { seen.push_back(9); });
    queue.add(1, [&] { seen.push_back(1); });
  });
  queue.add(7, [&] { seen.push_back(7); });
  queue.run(1);
  EXPECT_EQ(seen, (std::vector<int>{5, 1, 7, 9}));
}

TEST(WorkQueue, RunsAtTheSameTime) {
  WorkQueue queue({});
  std::latch both(2);
  for (int i = 0; i < 2; ++i) queue.add(0, [&] { both.arrive_and_wait(); });
  queue.run(2);
}

TEST(WorkQueue, TheFirstFailureStopsTheRest) {
  WorkQueue queue({});
  bool later = false;
  queue.add(0, [] { throw Error(Errc::io, "first"); });
  queue.add(1, [&] { later = true; });
  EXPECT_THROW(queue.run(1), Error);
  EXPECT_FALSE(later);
  EXPECT_TRUE(queue.stop().stop_requested());
}

TEST(WorkQueue, WaitsForWhatIsExpected) {
  WorkQueue queue({});
  queue.expect();
  std::atomic<bool> done = false;
  const std::jthread outside([&] { queue.add_expected(0, [&] { done = true; }); });
  queue.run(2);
  EXPECT_TRUE(done);
}

TEST(WorkQueue, StopsWhenAsked) {
  std::stop_source source;
  WorkQueue queue(source.get_token());
  queue.expect();  // never added: only the stop ends it
  queue.add(0, [&] { source.request_stop(); });
  EXPECT_THROW(queue.run(2), Cancelled);
}

}  // namespace
}  // namespace lade
