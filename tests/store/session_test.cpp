#include <atomic>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "libimage/base/error.h"
#include "libimage/store/store.h"

namespace lade {
namespace {

TEST(Session, MakesSharedStateOnceForAllThreads) {
  Session session({});
  std::atomic<int> made = 0;
  std::vector<std::shared_ptr<int>> seen(4);
  {
    std::vector<std::jthread> threads;
    for (auto& slot : seen) {
      threads.emplace_back([&] {
        slot = session.shared<int>("key", [&] { return std::make_shared<int>(++made); });
      });
    }
  }
  EXPECT_EQ(made, 1);
  for (const auto& slot : seen) EXPECT_EQ(slot, seen.front());
  EXPECT_EQ(*session.shared<int>("other", [&] { return std::make_shared<int>(++made); }), 2);
}

TEST(Session, TriesAgainAfterAMakerFailed) {
  Session session({});
  EXPECT_THROW((void)session.shared<int>(
                   "key", []() -> std::shared_ptr<int> { throw Error(Errc::io, "no"); }),
               Error);
  EXPECT_EQ(*session.shared<int>("key", [] { return std::make_shared<int>(7); }), 7);
}

TEST(Session, LetsAMakerAskForOtherState) {
  Session session({});
  const auto outer = session.shared<int>("outer", [&] {
    return std::make_shared<int>(
        1 + *session.shared<int>("inner", [] { return std::make_shared<int>(41); }));
  });
  EXPECT_EQ(*outer, 42);
}

}  // namespace
}  // namespace lade
