// One attack for each known flaw of a runtime or builder that a step could repeat, under its
// number; those of images that lead the set-up outside are in escape_test.cpp.
#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <thread>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"

#include "tests/sandbox/busybox_root.h"

namespace lade::sandbox {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::Not;

std::string failure_of(const RuntimeConfig& step) {
  try {
    const Ran ran = run(step);
    return cat("ran with status ", ran.status, ": ", ran.output);
  } catch (const Error& e) {
    return e.what();
  }
}

/// A host's directory that must stay as it is.
class Canary {
 public:
  explicit Canary(const BusyboxRoot& root) : path_(root.beside("host")) {
    fs::create_directory(path_);
    write_file(path_ + "/canary", "untouched");
  }
  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] bool is_untouched() const {
    std::ptrdiff_t entries = 0;
    for ([[maybe_unused]] const auto& entry : fs::directory_iterator(path_)) ++entries;
    return entries == 1 && read_file(path_ + "/canary", 100) == "untouched";
  }

 private:
  std::string path_;
};

/// Paths of proc that rule the host, and volumes mounted over proc.
TEST(Cve, Cve_2015_3630_and_3631_WritableProc) {
  const BusyboxRoot root;
  EXPECT_EQ(
      run_shell(
          root.path(),
          "for f in /proc/sys/kernel/core_pattern /proc/sysrq-trigger /proc/asound /proc/fs "
          "/proc/irq /proc/bus; do (echo x > $f) 2>/dev/null && echo wrote $f; done; echo end")
          .output,
      "end\n");
  RuntimeConfig step = shell_step({root.path()}, "cat /proc/sys/kernel/ostype; echo x > /proc/1/x");
  fs::create_directory(root.beside("volume"));
  step.mounts.insert(step.mounts.begin(), {"/proc", "bind", root.beside("volume"), {}});
  EXPECT_THAT(run(step).output, HasSubstr("Linux")) << "the kernel's is over it";
}

TEST(Cve, Cve_2016_9962_DescriptorsOfTheFirstProcess) {
  const BusyboxRoot root;
  EXPECT_EQ(run_shell(root.path(),
                      "for f in /proc/1/fd/* /proc/1/cwd/. /proc/1/root/. /proc/1/map_files/*; do "
                      "[ -e $f ] && echo $f; done; echo end")
                .output,
            "end\n");
}

TEST(Cve, Cve_2018_10892_ProcAcpi) {
  const BusyboxRoot root;
  EXPECT_EQ(
      run_shell(root.path(), "ls -A /proc/acpi /proc/scsi 2>/dev/null | grep -v : | grep -c .")
          .output,
      "0\n");
}

/// The program of the first process, and of one that is about to become the command.
TEST(Cve, Cve_2019_5736_OverwritingTheRuntime) {
  const BusyboxRoot root;
  struct stat before {};
  struct stat after {};
  ASSERT_EQ(::stat("/proc/self/exe", &before), 0);
  EXPECT_EQ(
      run_shell(
          root.path(),
          "for i in 1 2 3 4 5 6 7 8 9; do for p in /proc/[0-9]*/exe; do "
          "case $(readlink $p) in */busybox) ;; *) (echo x > $p) 2>/dev/null && echo wrote $p;; "
          "esac; done; done; echo end")
          .output,
      "end\n");
  ASSERT_EQ(::stat("/proc/self/exe", &after), 0);
  EXPECT_EQ(before.st_mtim.tv_nsec, after.st_mtim.tv_nsec);
}

TEST(Cve, Cve_2020_14370_and_2021_3602_EnvironmentOfOthers) {
  const BusyboxRoot root;
  ASSERT_EQ(::setenv("LADE_TEST_TOKEN", "secret", 1), 0);
  RuntimeConfig first = shell_step({root.path()}, "env");
  first.process.env.emplace_back("OF_THE_FIRST=1");
  EXPECT_THAT(run(first).output, Not(HasSubstr("LADE_TEST_TOKEN")));
  EXPECT_THAT(run_shell(root.path(), "env; cat /proc/1/environ 2>/dev/null").output,
              Not(::testing::AnyOf(HasSubstr("OF_THE_FIRST"), HasSubstr("LADE_TEST_TOKEN"))));
  ASSERT_EQ(::unsetenv("LADE_TEST_TOKEN"), 0);
}

TEST(Cve, Cve_2020_15257_AbstractSocketsOfTheHost) {
  const BusyboxRoot root;
  const UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string name = cat("lade-test-", ::getpid());
  std::copy(name.begin(), name.end(), address.sun_path + 1);
  ASSERT_EQ(::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address),
                   static_cast<socklen_t>(sizeof address.sun_family + 1 + name.size())),
            0);
  EXPECT_THAT(run_shell(root.path(), "cat /proc/net/unix").output, Not(HasSubstr("lade-test-")));
}

/// A directory of a volume exchanged for a link while a mount below it is set up.
TEST(Cve, Cve_2021_30465_and_2024_45310_ExchangeOfAMountPointsParent) {
  const BusyboxRoot root;
  const Canary host(root);
  const std::string volume = root.beside("volume");
  fs::create_directories(volume + "/dir");
  fs::create_symlink(host.path(), volume + "/link");
  std::atomic<bool> done = false;
  std::jthread racer([&] {
    while (!done) {
      (void)::renameat2(AT_FDCWD, (volume + "/dir").c_str(), AT_FDCWD, (volume + "/link").c_str(),
                        RENAME_EXCHANGE);
    }
  });
  for (int i = 0; i < 60; ++i) {
    RuntimeConfig step = shell_step({root.path()}, "touch /volume/dir/below/x 2>/dev/null; true");
    step.mounts.push_back({"/volume", "bind", volume, {}});
    step.mounts.push_back({"/volume/dir/below", "tmpfs", "tmpfs", {}});
    (void)failure_of(step);  // it may find a loop or a link to nothing; it may not get out
  }
  done = true;
  racer.join();
  EXPECT_TRUE(host.is_untouched());
}

TEST(Cve, Cve_2021_43784_OverlongOptions) {
  const BusyboxRoot root;
  RuntimeConfig step = shell_step({root.path()}, "true");
  step.mounts.push_back({"/x", "tmpfs", "tmpfs", {"mode=755", "mpol=" + std::string(70'000, 'x')}});
  EXPECT_THAT(failure_of(step), HasSubstr("set up step: mount '/x'"));
  step = shell_step({root.path()}, "grep -c . /proc/self/uid_map");
  step.namespaces[Namespace::user];
  for (std::uint32_t i = 0; i < 341; ++i) step.uid_mappings.push_back({i, 100'000 + i, 1});
  step.gid_mappings = {{0, 100'000, 65'536}};
  EXPECT_THAT(failure_of(step), HasSubstr("linux.uidMappings: more than 340"));
}

TEST(Cve, Cve_2022_24769_and_29162_InheritableCapabilities) {
  const BusyboxRoot root;
  for (const std::uint32_t uid : {0U, 1000U}) {
    RuntimeConfig step = shell_step({root.path()}, "grep -E 'CapInh|CapAmb' /proc/self/status");
    step.process.user.uid = uid;
    EXPECT_EQ(run(step).output, "CapInh:\t0000000000000000\nCapAmb:\t0000000000000000\n");
  }
}

TEST(Cve, Cve_2022_2989_and_36109_SupplementaryGroups) {
  const BusyboxRoot root;
  const auto groups = [&](std::uint32_t gid, std::vector<std::uint32_t> more) {
    RuntimeConfig step = shell_step({root.path()}, "grep Groups: /proc/self/status");
    step.process.user = {1000, gid, std::move(more)};
    return run(step).output;
  };
  EXPECT_EQ(groups(1000, {}), "Groups:\t1000 \n") << "the primary one, none of the caller's";
  EXPECT_EQ(groups(0, {5}), "Groups:\t0 5 \n");
  EXPECT_EQ(groups(7, {7, 3}), "Groups:\t3 7 \n");
}

TEST(Cve, Cve_2023_25809_WritableControlGroups) {
  const BusyboxRoot root;
  RuntimeConfig step = shell_step(
      {root.path()},
      "mkdir /sys/fs/cgroup/pids/x 2>/dev/null && echo made; ls /sys/fs/cgroup/pids/tasks");
  step.mounts.push_back(
      {"/sys/fs/cgroup", "cgroup", "cgroup", {"ro", "nosuid", "nodev", "noexec"}});
  EXPECT_EQ(run(step).output, "/sys/fs/cgroup/pids/tasks\n");
  EXPECT_THAT(run_shell(root.path(), "ls /sys/fs/cgroup").output, Not(HasSubstr("pids")))
      << "none at all unless it is asked for";
}

TEST(Cve, Cve_2024_21626_DescriptorsThatLeak) {
  const BusyboxRoot root;
  const UniqueFd leaked(::open("/", O_RDONLY | O_DIRECTORY));
  const UniqueFd high(::fcntl(leaked.get(), F_DUPFD, 100));
  EXPECT_EQ(run_shell(root.path(),
                      "for p in self 1; do for f in /proc/$p/fd/*; do [ -e $f/etc ] && echo $f; "
                      "done; done; pwd")
                .output,
            "/\n");
  RuntimeConfig step = shell_step({root.path()}, "pwd");
  step.process.cwd = cat("/proc/self/fd/", high.get(), "/../..");
  EXPECT_THAT(failure_of(step), HasSubstr("working directory"));
}

/// A null device that is something else, so that what is to be masked is opened to writing.
TEST(Cve, Cve_2025_31133_MaskingByAFalseNullDevice) {
  const BusyboxRoot root;
  const Canary host(root);
  RuntimeConfig step = shell_step({root.path()}, "cat /proc/kcore | head -c 1");
  step.mounts.push_back({"/dev/null", "bind", host.path() + "/canary", {}});
  EXPECT_THAT(failure_of(step), HasSubstr("/dev/null is not the null device"));
  EXPECT_TRUE(host.is_untouched());
}

/// Above the root there is nothing, whatever was staged there while it was set up.
TEST(Cve, RootsAboveTheRootAreGone) {
  const BusyboxRoot root;
  RuntimeConfig step =
      shell_step({root.path()}, "ls -di / /.. /../..; grep -c ' / / ' /proc/self/mountinfo");
  step.mounts.push_back({.destination = "/secret", .type = "content", .content = "x"});
  step.mounts.push_back({"/sys/fs/cgroup", "cgroup", "cgroup", {"ro"}});
  const std::vector<std::string> seen = lines(run(step).output);
  ASSERT_EQ(seen.size(), 4U);
  const auto number = [](const std::string& line) {
    const std::string_view text = trimmed(line);
    return std::string(text.substr(0, text.find(' ')));
  };
  EXPECT_EQ(number(seen[0]), number(seen[1]));
  EXPECT_EQ(number(seen[0]), number(seen[2]));
  step.process.args.back() = "cat /proc/self/mountinfo";
  EXPECT_THAT(run(step).output, Not(HasSubstr(" /sys/fs/cgroup/unified "))) << "the host's";
}

/// Another process's exchange of what the set-up writes to in proc.
TEST(Cve, Cve_2025_52881_WritesToAFalseProc) {
  const BusyboxRoot root;
  const Canary host(root);
  RuntimeConfig step = shell_step({root.path()}, "true");
  step.sysctl["net.ipv4.ip_forward"] = "1";
  fs::create_directories(root.beside("proc/sys/net/ipv4"));
  write_file(root.beside("proc/sys/net/ipv4/ip_forward"), "0");
  step.mounts.push_back({"/proc", "bind", root.beside("proc"), {}});
  EXPECT_THAT(failure_of(step), HasSubstr("is not the kernel's"));
  EXPECT_EQ(read_file(root.beside("proc/sys/net/ipv4/ip_forward"), 10), "0");
}

TEST(Cve, Cve_2025_52565_ConsoleBeforeMasks) {
  const BusyboxRoot root;
  RuntimeConfig step = shell_step({root.path()}, "true");
  step.process.terminal = true;
  EXPECT_THAT(failure_of(step), HasSubstr("process.terminal")) << "a step has none to be misled";
}

/// A working directory made, or given away, where a link of the image points.
TEST(Cve, Cve_2026_55686_WorkingDirectoryThroughALink) {
  const BusyboxRoot root;
  const Canary host(root);
  fs::create_symlink(host.path(), root.path() + "/link");
  fs::create_symlink("../../../../../../" + host.path(), root.path() + "/up");
  for (const char* cwd : {"/link/new", "/up/new"}) {
    RuntimeConfig step = shell_step({root.path()}, "pwd -P");
    step.process.cwd = cwd;
    EXPECT_EQ(run(step).output, host.path() + "/new\n") << "of that name, inside";
    EXPECT_TRUE(host.is_untouched());
  }
}

/// Devices of the host by numbers, whatever the image or the step makes.
TEST(Cve, Cve_2026_88264_DevicesOfTheHost) {
  const BusyboxRoot root;
  RuntimeConfig step = shell_step({root.path()}, "mknod /tmp-mem c 1 1 && head -c 1 /tmp-mem");
  StepRights rights;
  rights.capabilities.insert("CAP_MKNOD");
  set_rights(step, rights);
  EXPECT_THAT(run(step).output, HasSubstr("/tmp-mem: Permission denied"));
  step.resources.emplace().devices = {{.allow = false, .access = "rwm"}};
  step.process.args.back() =
      "mknod /dev/mem2 c 1 1; head -c 1 /dev/mem2; head -c 1 /dev/zero | wc -c";
  EXPECT_THAT(run(step).output,
              ::testing::AllOf(HasSubstr("Operation not permitted"), HasSubstr("1\n")));
}

}  // namespace
}  // namespace lade::sandbox
