#include "libimage/storage/store_lock.h"

#include <atomic>
#include <thread>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include "libimage/base/error.h"
#include "libimage/io/path.h"

namespace lade {
namespace {

using Mode = StoreLock::Mode;

class StoreLocks : public ::testing::Test {
 protected:
  TempDir temp_{"/tmp"};
  [[nodiscard]] StoreLock take(Mode mode) const { return {temp_.dir(), "x.lock", mode, {}}; }

  /// What another process gets that asks for the whole file as containers/storage does.
  [[nodiscard]] bool other_process_gets(short type) const {
    const pid_t child = ::fork();
    if (child == 0) {
      const int fd = ::openat(temp_.dir().get(), "x.lock", O_RDWR | O_CREAT, 0644);
      struct flock range {};
      range.l_type = type;
      ::_exit(::fcntl(fd, F_SETLK, &range) == 0 ? 0 : 1);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    return status == 0;
  }
};

TEST_F(StoreLocks, ExcludeRecordLocksOfOtherPrograms) {
  {
    const StoreLock lock = take(Mode::exclusive);
    EXPECT_FALSE(other_process_gets(F_RDLCK));
    EXPECT_FALSE(other_process_gets(F_WRLCK));
  }
  {
    const StoreLock lock = take(Mode::shared);
    EXPECT_TRUE(other_process_gets(F_RDLCK));
    EXPECT_FALSE(other_process_gets(F_WRLCK));
  }
  EXPECT_TRUE(other_process_gets(F_WRLCK));
}

TEST_F(StoreLocks, ExcludeThreadsOfThisProcess) {
  std::atomic<int> inside{0};
  std::atomic<bool> overlapped{false};
  std::vector<std::jthread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int round = 0; round < 20; ++round) {
        const StoreLock lock = take(Mode::exclusive);
        if (inside.fetch_add(1) != 0) overlapped = true;
        inside.fetch_sub(1);
      }
    });
  }
  threads.clear();
  EXPECT_FALSE(overlapped);
}

TEST_F(StoreLocks, WaitingCanBeStopped) {
  const StoreLock held = take(Mode::exclusive);
  std::stop_source stop;
  stop.request_stop();
  EXPECT_THROW(StoreLock(temp_.dir(), "x.lock", Mode::shared, stop.get_token()), Cancelled);
}

TEST_F(StoreLocks, StampsDifferEachTime) {
  const StoreLock lock = take(Mode::exclusive);
  EXPECT_EQ(lock.stamp(), "");
  lock.touch();
  const std::string first = lock.stamp();
  EXPECT_EQ(first.size(), 64U);
  lock.touch();
  EXPECT_NE(lock.stamp(), first);
}

}  // namespace
}  // namespace lade
