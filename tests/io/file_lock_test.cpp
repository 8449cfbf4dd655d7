#include "libimage/io/file_lock.h"

#include <atomic>
#include <chrono>
#include <thread>

#include <sys/wait.h>
#include <unistd.h>

#include "fixtures.h"

namespace lade {
namespace {

using namespace lade::testing;

class FileLockTest : public InTempDir {};

TEST_F(FileLockTest, ExclusiveLockKeepsEveryOtherOut) {
  const FileLock held(dir_, "lock", FileLock::Mode::exclusive);
  EXPECT_FALSE(FileLock::try_lock(dir_, "lock", FileLock::Mode::exclusive));
  EXPECT_FALSE(FileLock::try_lock(dir_, "lock", FileLock::Mode::shared));
  EXPECT_TRUE(FileLock::try_lock(dir_, "other", FileLock::Mode::exclusive));
}

TEST_F(FileLockTest, SharedLocksGoTogetherAndKeepAnExclusiveOut) {
  const FileLock held(dir_, "lock", FileLock::Mode::shared);
  EXPECT_TRUE(FileLock::try_lock(dir_, "lock", FileLock::Mode::shared));
  EXPECT_FALSE(FileLock::try_lock(dir_, "lock", FileLock::Mode::exclusive));
}

TEST_F(FileLockTest, IsReleasedOnDestruction) {
  { const FileLock held(dir_, "lock", FileLock::Mode::exclusive); }
  EXPECT_TRUE(FileLock::try_lock(dir_, "lock", FileLock::Mode::exclusive));
}

TEST_F(FileLockTest, WaitsForTheHolder) {
  std::optional<FileLock> held(std::in_place, dir_, "lock", FileLock::Mode::exclusive);
  std::atomic<bool> released = false;
  std::jthread waiter([&] {
    const FileLock mine(dir_, "lock", FileLock::Mode::exclusive);
    EXPECT_TRUE(released);
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  released = true;
  held.reset();
}

TEST_F(FileLockTest, IsDroppedWhenItsProcessDies) {
  const pid_t child = ::fork();
  if (child == 0) {
    const FileLock held(dir_, "lock", FileLock::Mode::exclusive);
    ::_exit(0);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(FileLock::try_lock(dir_, "lock", FileLock::Mode::exclusive));
}

TEST_F(FileLockTest, RefusesALinkInPlaceOfTheFile) {
  std::filesystem::create_symlink("elsewhere", at("lock"));
  EXPECT_NE(failure_of([&] { const FileLock lock(dir_, "lock", FileLock::Mode::shared); }),
            std::nullopt);
  EXPECT_FALSE(exists("elsewhere"));
}

}  // namespace
}  // namespace lade
