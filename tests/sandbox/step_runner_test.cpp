#include "libimage/sandbox/step_runner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "libimage/base/error.h"

#include "tests/sandbox/busybox_root.h"

namespace lade::sandbox {
namespace {

using ::testing::ElementsAre;

TEST(StepRunner, PassesTheExitStatusOn) {
  const BusyboxRoot root;
  EXPECT_EQ(run_shell(root.path(), "exit 0").status, 0);
  EXPECT_EQ(run_shell(root.path(), "exit 42").status, 42);
  EXPECT_EQ(run_shell(root.path(), "kill -TERM $$").status, 128 + 15);
}

TEST(StepRunner, LeavesNothingInTheUpperOfAStepThatChangesNothing) {
  const OverlaidRoot root;
  const Ran ran = run(
      shell_step({{}, root.overlay()}, "ls /; cat /proc/self/mountinfo; cat /proc/self/status"));
  EXPECT_EQ(ran.status, 0) << ran.output;
  EXPECT_THAT(root.changes(), ElementsAre());
}

}  // namespace
}  // namespace lade::sandbox
