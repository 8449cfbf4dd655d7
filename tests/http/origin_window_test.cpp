#include "libimage/http/origin_window.h"

#include <atomic>
#include <optional>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "libimage/base/error.h"

namespace lade::testing {
namespace {

TEST(OriginWindow, HalvesOnceForAllThatWasOnItsWay) {
  OriginWindow window(8);
  {
    auto first = window.enter({});
    auto second = window.enter({});
    first.refused();
    second.refused();
  }
  EXPECT_EQ(window.limit(), 4);
  window.enter({}).refused();
  EXPECT_EQ(window.limit(), 2);
}

TEST(OriginWindow, NeverClosesAndGrowsBackToWhereItBegan) {
  OriginWindow window(4);
  for (int i = 0; i < 10; ++i) window.enter({}).refused();
  EXPECT_EQ(window.limit(), 1);
  for (int i = 0; i < 100; ++i) window.enter({}).answered();
  EXPECT_EQ(window.limit(), 4);
}

TEST(OriginWindow, LetsNoMoreInThanItsLimit) {
  OriginWindow window(3);
  std::atomic<int> inside = 0;
  std::atomic<int> most = 0;
  std::vector<std::jthread> threads;
  for (int t = 0; t < 10; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 50; ++i) {
        const auto place = window.enter({});
        const int now = ++inside;
        for (int seen = most; now > seen && !most.compare_exchange_weak(seen, now);) {
        }
        std::this_thread::yield();
        --inside;
      }
    });
  }
  threads.clear();
  EXPECT_LE(most, 3);
}

TEST(OriginWindow, StopsWaitingWhenCancelled) {
  OriginWindow window(1);
  const auto place = window.enter({});
  std::stop_source stop;
  stop.request_stop();
  EXPECT_THROW((void)window.enter(stop.get_token()), Cancelled);
}

}  // namespace
}  // namespace lade::testing
