// Images made to lead the set-up outside; section by the flaw that it repeats.
#include <filesystem>
#include <string>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"

#include "tests/sandbox/busybox_root.h"

namespace lade::sandbox {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

/// A root beside a directory of the host's that must stay as it is.
class HostileRoot : public BusyboxRoot {
 public:
  HostileRoot() {
    fs::create_directory(host());
    write_file(host() + "/canary", "untouched");
  }
  [[nodiscard]] std::string host() const { return beside("host"); }
  [[nodiscard]] bool host_is_untouched() const {
    std::size_t entries = 0;
    for ([[maybe_unused]] const auto& entry : fs::directory_iterator(host())) ++entries;
    return entries == 1 && read_file(host() + "/canary", 100) == "untouched";
  }
};

std::string failure_of(const RuntimeConfig& step) {
  try {
    const Ran ran = run(step);
    return cat("ran with status ", ran.status, ": ", ran.output);
  } catch (const Error& e) {
    return e.what();
  }
}

/// CVE-2026-41579, CVE-2026-47766: devices made, or removed, where an image's /dev points.
TEST(Escape, Cve_2026_41579_and_47766_ThroughALinkAsDevStaysInTheRoot) {
  const HostileRoot root;
  fs::create_symlink(root.host(), root.path() + "/dev");
  const Ran ran = run_shell(root.path(), "ls -l /dev/null && echo x > /dev/null");
  EXPECT_EQ(ran.status, 0) << ran.output;
  EXPECT_TRUE(root.host_is_untouched());
  EXPECT_EQ(fs::read_symlink(root.path() + "/dev"), root.host()) << "the image's link stays";
  EXPECT_FALSE(fs::exists(root.path() + root.host())) << "what was made for it does not";
}

TEST(Escape, ThroughALinkToTheRootAsDevIsRefused) {
  for (const char* target : {"/", "../../..", "."}) {
    const HostileRoot root;
    fs::create_symlink(target, root.path() + "/dev");
    EXPECT_THAT(failure_of(shell_step({root.path()}, "true")),
                HasSubstr("the destination is the root itself"));
    EXPECT_FALSE(fs::exists(root.path() + "/null"));
  }
}

/// CVE-2019-19921, CVE-2023-27561: procfs behind a link, so that its masks go elsewhere.
TEST(Escape, Cve_2019_16884_and_19921_2023_27561_and_28642_ThroughALinkAsProcOrSysIsRefused) {
  for (const char* name : {"/proc", "/sys"}) {
    for (const char* target : {"/", "/bin", "/missing", "../host"}) {
      const HostileRoot root;
      fs::create_symlink(target, root.path() + name);
      EXPECT_THAT(failure_of(shell_step({root.path()}, "true")),
                  HasSubstr("is not a directory in the image"))
          << name << " -> " << target;
      EXPECT_TRUE(root.host_is_untouched());
      EXPECT_FALSE(fs::exists(root.path() + "/dev"));
    }
  }
}

/// CVE-2019-18837 and its like: files for mounts made where a link of the image points.
TEST(Escape, Cve_2019_18837_OfMountTargetsThroughLinksStaysInTheRoot) {
  const HostileRoot root;
  write_file(root.beside("hosts"), "127.0.0.1 localhost\n");
  fs::create_symlink(root.host(), root.path() + "/etc");
  fs::create_symlink("../../../../../.." + root.host(), root.path() + "/up");
  fs::create_symlink("/etc/passwd", root.path() + "/file");
  RuntimeConfig step = shell_step({root.path()}, "cat /etc/hosts /up/hosts /file");
  for (const char* target : {"/etc/hosts", "/up/hosts", "/file"}) {
    step.mounts.push_back({target, "bind", root.beside("hosts"), {"ro"}});
  }
  EXPECT_EQ(run(step).output, "127.0.0.1 localhost\n127.0.0.1 localhost\n127.0.0.1 localhost\n");
  EXPECT_TRUE(root.host_is_untouched());
  EXPECT_FALSE(fs::exists(root.path() + root.host()));
}

TEST(Escape, ByDotsInAMountTargetStaysInTheRoot) {
  const HostileRoot root;
  write_file(root.beside("file"), "bound\n");
  RuntimeConfig step = shell_step({root.path()}, "cat /host/canary");
  step.mounts.push_back({"/../../../../host/canary", "bind", root.beside("file")});
  EXPECT_EQ(run(step).output, "bound\n");
  EXPECT_TRUE(root.host_is_untouched());
}

/// CVE-2015-3630: a mount over a part of proc.
TEST(Escape, ByALoopOfLinksIsAnError) {
  const HostileRoot root;
  fs::create_symlink("b", root.path() + "/a");
  fs::create_symlink("a", root.path() + "/b");
  RuntimeConfig step = shell_step({root.path()}, "true");
  step.mounts.push_back({"/a/x", "tmpfs", "tmpfs"});
  EXPECT_THAT(failure_of(step), HasSubstr("too many levels of symbolic links"));
}

/// CVE-2024-21626: a working directory that is a descriptor of the host.
TEST(Escape, Cve_2024_21626_ThroughADescriptorAsWorkingDirectoryIsRefused) {
  const HostileRoot root;
  const UniqueFd leaked(::open("/", O_RDONLY | O_DIRECTORY));
  for (int number = 0; number <= 50; ++number) {
    RuntimeConfig step = shell_step({root.path()}, "ls");
    step.process.cwd = cat("/proc/self/fd/", number);
    EXPECT_THAT(failure_of(step), HasSubstr("set up step: working directory")) << number;
  }
}

TEST(Escape, ThroughALinkToADescriptorAsWorkingDirectoryIsRefused) {
  const HostileRoot root;
  const UniqueFd leaked(::open("/", O_RDONLY | O_DIRECTORY));
  fs::create_symlink("/proc/self/cwd/../../..", root.path() + "/cwd");
  fs::create_symlink(cat("/proc/self/fd/", leaked.get()), root.path() + "/fd");
  for (const char* link : {"/cwd", "/fd", "/fd/new"}) {
    RuntimeConfig step = shell_step({root.path()}, "ls");
    step.process.cwd = link;
    EXPECT_THAT(failure_of(step), HasSubstr("set up step: working directory")) << link;
  }
}

/// CVE-2024-23652: a mount point's removal that follows what the step put in its place.
TEST(Escape, Cve_2024_23652_ByReplacingAMountPointsParentRemovesNothingElse) {
  const HostileRoot root;
  const std::string source = root.beside("source");
  fs::create_directory(source);
  fs::create_directories(root.path() + "/keep/point");
  RuntimeConfig step = shell_step({root.path()}, "mv /a /b; ln -s /keep /a");
  step.mounts.push_back({"/a/point", "bind", source});
  (void)run(step);
  EXPECT_TRUE(fs::is_directory(root.path() + "/keep/point"));
  EXPECT_TRUE(root.host_is_untouched());
}

/// CVE-2019-14271, CVE-2022-1227: nothing of the image is executed or loaded but the command.
TEST(Escape, Cve_2019_14271_and_2022_1227_ByLibrariesAndDatabasesOfTheImageDoesNotHappen) {
  const HostileRoot root;
  for (const char* dir : {"/lib/x86_64-linux-gnu", "/lib64", "/etc"})
    fs::create_directories(root.path() + dir);
  for (const char* name :
       {"/lib/x86_64-linux-gnu/libnss_files.so.2", "/lib/x86_64-linux-gnu/libc.so.6",
        "/lib64/ld-linux-x86-64.so.2", "/etc/ld.so.preload", "/etc/nsswitch.conf"}) {
    write_file(root.path() + name, "#!/bin/sh\necho loaded\n", 0755);
  }
  EXPECT_EQ(run_shell(root.path(), "echo fine").output, "fine\n");
}

}  // namespace
}  // namespace lade::sandbox
