// Steps that take too much: of time, processes, memory, disk.
#include <chrono>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "libimage/base/error.h"
#include "libimage/sandbox/cgroup.h"

#include "tests/sandbox/busybox_root.h"

namespace lade::sandbox {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::string failure_of(const RuntimeConfig& step, const StepCall& call) {
  try {
    (void)builtin_runner()->run(step, call, {});
    return "";
  } catch (const Error& e) {
    return e.what();
  }
}

TEST(Limits, EndAStepWhoseTimeIsUp) {
  const BusyboxRoot root;
  NullSink output;
  const StepCall call{.output = output, .timeout = std::chrono::milliseconds(50)};
  EXPECT_THAT(
      failure_of(shell_step({root.path()}, "trap '' TERM; setsid sleep 3333 & sleep 3333"), call),
      HasSubstr("it took longer than 50 ms and was ended"));
  EXPECT_EQ(failure_of(shell_step({root.path()}, "true"),
                       {.output = output, .timeout = std::chrono::minutes(1)}),
            "");
}

TEST(Limits, EndAStepThatForksWithoutEnd) {
  const BusyboxRoot root;
  StringSink output;
  RuntimeConfig step = shell_step(
      {root.path()}, "bomb() { bomb | bomb & }; bomb; while :; do sleep 1 || exit 4; done");
  step.resources.emplace().pids = {.limit = 30};
  const StepCall call{.output = output, .timeout = std::chrono::milliseconds(1500)};
  std::string failure;
  try {
    const StepStatus status = builtin_runner()->run(step, call, {});
    EXPECT_NE(status.exit_status, 0);
    EXPECT_THAT(status.warnings, IsEmpty());
  } catch (const Error& e) {
    failure = e.what();
    EXPECT_THAT(failure, HasSubstr("it took longer"));
  }
  EXPECT_THAT(output.text(), HasSubstr("can't fork: Resource temporarily unavailable"));
}

TEST(Limits, EndAStepThatTakesTooMuchMemory) {
  const BusyboxRoot root;
  // A tmpfs is memory of whoever fills it.
  RuntimeConfig step = shell_step({root.path()}, "dd if=/dev/zero of=/dev/shm/x bs=1M count=60");
  step.resources.emplace().memory = MemoryLimits{.limit = 16 << 20};
  const Ran ran = run(step);
  EXPECT_EQ(ran.status, 137) << ran.output;
}

TEST(Limits, EndAStepThatFillsItsDisk) {
  const BusyboxRoot root;
  RuntimeConfig step = shell_step({root.path()}, "dd if=/dev/zero of=/small/x bs=1M; exit $?");
  step.mounts.push_back({"/small", "tmpfs", "tmpfs", {"size=2m"}});
  const Ran ran = run(step);
  EXPECT_EQ(ran.status, 1);
  EXPECT_THAT(ran.output, HasSubstr("No space left on device"));
}

TEST(Limits, OfFilesAreHeldByTheKernel) {
  const BusyboxRoot root;
  RuntimeConfig step =
      shell_step({root.path()}, "trap '' XFSZ; dd if=/dev/zero of=/x bs=1M count=3");
  step.process.rlimits = {{"RLIMIT_FSIZE", 1 << 20, 1 << 20}};
  EXPECT_THAT(run(step).output, HasSubstr("File too large"));
}

TEST(Limits, ThatCannotBeSetAreToldAndNothingElseIs) {
  const BusyboxRoot root;
  NullSink output;
  RuntimeConfig step = shell_step({root.path()}, "true");
  step.resources.emplace().pids = {.limit = 100};
  EXPECT_THAT(builtin_runner()->run(step, {output}, {}).warnings, IsEmpty());
  step.resources->hugepage_limits = {{.page_size = "7MB", .limit = 0}};
  const StepStatus status = builtin_runner()->run(step, {output}, {});
  EXPECT_EQ(status.exit_status, 0);
  EXPECT_THAT(status.warnings, ElementsAre(HasSubstr("set hugetlb.7MB.")));
}

TEST(Limits, AreTheSameInBothVersionsOfControlGroups) {
  Resources resources;
  resources.memory = MemoryLimits{.limit = 1000, .swap = 1500};
  resources.cpu = CpuLimits{.shares = 1024, .quota = 5000, .period = 10000};
  resources.pids = PidsLimit{.limit = -1};
  resources.block_io.emplace().read_bps = {{.major = 8, .minor = 0, .rate = 99}};
  const auto texts = [&](CgroupVersion version) {
    std::vector<std::string> lines;
    for (const CgroupSetting& setting : settings_of(resources, version)) {
      lines.push_back(setting.file + " " + setting.value);
    }
    return lines;
  };
  EXPECT_THAT(texts(CgroupVersion::v1),
              ElementsAre("memory.limit_in_bytes 1000", "memory.memsw.limit_in_bytes 1500",
                          "cpu.shares 1024", "cpu.cfs_period_us 10000", "cpu.cfs_quota_us 5000",
                          "pids.max max", "blkio.throttle.read_bps_device 8:0 99"));
  EXPECT_THAT(texts(CgroupVersion::v2),
              ElementsAre("memory.max 1000", "memory.swap.max 500", "cpu.weight 100",
                          "cpu.max 5000 10000", "pids.max max", "io.max 8:0 rbps=99"));
}

}  // namespace
}  // namespace lade::sandbox
