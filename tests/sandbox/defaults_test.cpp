// The table of what a step has unless it asks for something else, read from inside.
#include <filesystem>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "libimage/base/text.h"

#include "tests/sandbox/busybox_root.h"

namespace lade::sandbox {
namespace {

using ::testing::ElementsAre;

/// "where type options super-options" of each mount below the root, in order.
std::vector<std::string> mounts_inside(const RuntimeConfig& step) {
  std::vector<std::string> found;
  for (const std::string& line : lines(run(step).output)) {
    const std::vector<std::string_view> fields = split(line, ' ');
    std::size_t dash = 6;
    while (dash < fields.size() && fields[dash] != "-") ++dash;
    if (fields.size() < dash + 4 || fields[4] == "/") continue;
    found.push_back(cat(fields[4], " ", fields[dash + 1], " ", fields[5]));
  }
  return found;
}

TEST(Defaults, OfMountsAreTheSpecificationsDefaultFileSystems) {
  const BusyboxRoot root;
  RuntimeConfig step = shell_step({root.path()}, "cat /proc/self/mountinfo");
  step.masked_paths.clear();
  step.readonly_paths.clear();
  EXPECT_THAT(mounts_inside(step),
              ElementsAre("/proc proc rw,nosuid,nodev,noexec,relatime", "/dev tmpfs rw,nosuid",
                          "/dev/pts devpts rw,nosuid,noexec,relatime",
                          "/dev/shm tmpfs rw,nosuid,nodev,noexec,relatime",
                          "/dev/mqueue mqueue rw,nosuid,nodev,noexec,relatime",
                          "/sys sysfs ro,nosuid,nodev,noexec,relatime"));
}

TEST(Defaults, OfMountsTakePartInNothingOfTheHosts) {
  const BusyboxRoot root;
  const RuntimeConfig step = shell_step(
      {root.path()}, "grep -E ' (shared|master|propagate_from):' /proc/self/mountinfo | wc -l");
  EXPECT_EQ(run(step).output, "0\n");
}

TEST(Defaults, OfTheProcessAreThese) {
  const BusyboxRoot root;
  RuntimeConfig step = shell_step({root.path()}, "");
  step.process.args = {"grep", "-E",
                       "^(Umask|Uid|Gid|Groups|NoNewPrivs|Seccomp|NStgid|CapBnd|Speculation)",
                       "/proc/self/status"};
  EXPECT_THAT(lines(run(step).output),
              ::testing::IsSupersetOf({"Umask:\t0022", "Uid:\t0\t0\t0\t0", "Gid:\t0\t0\t0\t0",
                                       "Groups:\t0 ", "NStgid:\t2", "CapBnd:\t00000000800405fb",
                                       "NoNewPrivs:\t0", "Seccomp:\t2", "Seccomp_filters:\t1"}));
}

TEST(Defaults, OfTheConfigurationAreNamespacesMasksAndReadOnlyPaths) {
  const RuntimeConfig config = default_config();
  EXPECT_EQ(config.namespaces.size(), 6U);
  EXPECT_FALSE(config.namespaces.contains(Namespace::user));
  EXPECT_THAT(config.readonly_paths, ElementsAre("/proc/asound", "/proc/bus", "/proc/fs",
                                                 "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"));
  for (const char* path : {"/proc/kcore", "/proc/keys", "/sys/firmware", "/proc/interrupts"}) {
    EXPECT_THAT(config.masked_paths, ::testing::Contains(path));
  }
  EXPECT_EQ(config.process.capabilities.bounding.size(), 11U);
  EXPECT_TRUE(config.process.capabilities.inheritable.empty());
  EXPECT_TRUE(config.seccomp);
}

/// Every field of the model that is not of the table above, set and seen.
TEST(Fields, HaveTheirEffectInside) {
  const BusyboxRoot root;
  RuntimeConfig step =
      shell_step({root.path()},
                 "cat /proc/sys/kernel/domainname /proc/sys/net/ipv4/ip_forward "
                 "/proc/self/oom_score_adj; stat -c '%n %F %t:%T %u:%g %a' /dev/x; "
                 "cat /proc/self/uid_map; grep CapAmb /proc/self/status");
  step.domainname = "example";
  step.sysctl["net.ipv4.ip_forward"] = "1";
  step.process.oom_score_adj = 77;
  step.devices = {{.path = "/dev/x",
                   .type = "c",
                   .major = 1,
                   .minor = 5,
                   .file_mode = 0640U,
                   .uid = 3,
                   .gid = 4}};
  step.process.capabilities.inheritable = {"CAP_KILL"};
  step.process.capabilities.ambient = {"CAP_KILL"};
  EXPECT_THAT(lines(run(step).output),
              ElementsAre("example", "1", "77", "/dev/x character special file 1:5 3:4 640",
                          "         0          0 4294967295", "CapAmb:\t0000000000000020"));
}

TEST(Fields, OfAUserNamespaceMapIdsAndLeaveTheDevices) {
  const BusyboxRoot root;
  RuntimeConfig step = shell_step({root.path()},
                                  "cat /proc/self/uid_map; head -c 1 /dev/zero | wc -c; "
                                  "stat -c '%u %t:%T' /dev/null; echo x > /dev/null && echo wrote");
  for (const char* name : {"/proc", "/dev", "/sys"}) {
    std::filesystem::create_directory(root.path() + name);  // where root is nobody, none is made
  }
  step.namespaces[Namespace::user];
  step.uid_mappings = {{0, 100'000, 65'536}};
  step.gid_mappings = {{0, 100'000, 65'536}};
  EXPECT_THAT(lines(run(step).output),
              ElementsAre("         0     100000      65536", "1", "65534 1:3", "wrote"));
}

TEST(Fields, OfATimeNamespaceMoveTheClocks) {
  const BusyboxRoot root;
  RuntimeConfig step = shell_step({root.path()}, "cat /proc/self/timens_offsets");
  step.namespaces[Namespace::time];
  step.time_offsets["boottime"] = {.seconds = 86'400};
  EXPECT_THAT(run(step).output, ::testing::HasSubstr("boottime        86400         0"));
}

TEST(Fields, OfAPersonalityChangeTheMachine) {
  const BusyboxRoot root;
  RuntimeConfig step = shell_step({root.path()}, "cat /proc/self/personality");
  set_rights(step, {.seccomp = StepRights::Seccomp::unconfined});
  step.personality = {.domain = "LINUX32"};
  EXPECT_EQ(run(step).output, "00000008\n");
}

TEST(Fields, OfAnIdMappedBindShowOtherOwners) {
  const BusyboxRoot root;
  const std::string shared = root.beside("shared");
  std::filesystem::create_directory(shared);
  RuntimeConfig step = shell_step({root.path()}, "stat -c '%u %g' /mnt");
  step.mounts.push_back({.destination = "/mnt",
                         .type = "bind",
                         .source = shared,
                         .options = {"bind", "idmap"},
                         .uid_mappings = {{0, 1000, 1}},
                         .gid_mappings = {{0, 2000, 1}}});
  EXPECT_EQ(run(step).output, "1000 2000\n");
}

}  // namespace
}  // namespace lade::sandbox
