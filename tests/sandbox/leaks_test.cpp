// 500 steps one after another and 20 at once leave nothing behind, seen from outside; nor do those
// whose parent is killed.
#include <atomic>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <set>
#include <string>
#include <thread>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/sandbox/cgroup.h"

#include "tests/sandbox/busybox_root.h"

namespace lade::sandbox {
namespace {

namespace fs = std::filesystem;

constexpr int kInARow = 500;
constexpr int kAtOnce = 20;

/// What one can see of steps: processes of ours, their namespaces, mounts, groups, descriptors.
struct Traces {
  std::multiset<std::string> processes;
  std::set<std::string> groups;
  std::string mounts;
  std::ptrdiff_t descriptors = 0;
  bool operator==(const Traces&) const = default;
};

std::string text_of(const std::string& path) {
  try {
    return read_file(path, 1U << 20U);
  } catch (const Error&) {
    return {};
  }
}

/// The children of this process, however deep, and those who lost their parent: all that sleep the
/// time that only these tests sleep.
Traces traces_now() {
  Traces found;
  for (const auto& entry : fs::directory_iterator("/proc")) {
    const std::string name = entry.path().filename();
    if (!parse_decimal(name)) continue;
    const std::string command = text_of(cat("/proc/", name, "/cmdline"));
    if (command.find("7654321") != std::string::npos) found.processes.insert(command);
    if (command.find(cat("lade-sandbox-step")) != std::string::npos) {
      const std::string status = text_of(cat("/proc/", name, "/status"));
      if (status.find(cat("PPid:\t", ::getpid(), "\n")) != std::string::npos) {
        found.processes.insert(command);
      }
    }
  }
  for (const Hierarchy& hierarchy : find_hierarchies()) {
    std::error_code ignored;
    for (const auto& entry :
         fs::directory_iterator(cat(hierarchy.mount, "/", hierarchy.own), ignored)) {
      const std::string name = entry.path().filename();
      if (name.rfind(cat("lade-step-", ::getpid(), "-"), 0) == 0) found.groups.insert(entry.path());
    }
  }
  found.mounts = text_of("/proc/self/mountinfo");
  for ([[maybe_unused]] const auto& entry : fs::directory_iterator("/proc/self/fd")) {
    ++found.descriptors;
  }
  return found;
}

RuntimeConfig limited(const OverlaidRoot& root, const std::string& script) {
  RuntimeConfig step = shell_step({{}, root.overlay()}, script);
  step.resources.emplace().pids = {.limit = 100};
  return step;
}

TEST(Leaks, DoNotComeFromFiveHundredStepsInARow) {
  const OverlaidRoot root;
  const auto runner = builtin_runner();
  NullSink output;
  const RuntimeConfig plain = shell_step({{}, root.overlay()}, "setsid sleep 7654321 & true");
  ASSERT_EQ(runner->run(plain, {output}, {}).exit_status, 0);
  const Traces before = traces_now();
  for (int i = 0; i < kInARow; ++i) {
    // Every tenth with a control group of its own.
    const RuntimeConfig step = i % 10 == 0 ? limited(root, "setsid sleep 7654321 & true") : plain;
    ASSERT_EQ(runner->run(step, {output}, {}).exit_status, 0);
  }
  EXPECT_EQ(traces_now(), before);
  EXPECT_TRUE(root.changes().empty());
  EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG | __WALL), -1);
}

TEST(Leaks, DoNotComeFromTwentyStepsAtOnce) {
  const std::vector<OverlaidRoot> roots(kAtOnce);
  const auto runner = builtin_runner();
  const Traces before = traces_now();
  std::atomic<int> well = 0;
  {
    std::vector<std::jthread> threads;
    for (const OverlaidRoot& root : roots) {
      threads.emplace_back([&] {
        NullSink output;
        for (int i = 0; i < 3; ++i) {
          const auto status =
              runner->run(limited(root, "setsid sleep 7654321 & exit 9"), {output}, {});
          if (status.exit_status == 9) ++well;
        }
      });
    }
  }
  EXPECT_EQ(well, kAtOnce * 3);
  EXPECT_EQ(traces_now(), before);
}

TEST(Leaks, DoNotComeFromStepsWhoseParentIsKilled) {
  const OverlaidRoot root;
  const Traces before = traces_now();
  for (int round = 0; round < 10; ++round) {
    const UniqueFd ready(::memfd_create("ready", MFD_CLOEXEC));
    const pid_t parent = ::fork();
    ASSERT_GE(parent, 0);
    if (parent == 0) {
      FdSink output(ready.get(), "ready");
      (void)builtin_runner()->run(limited(root, "echo ready; setsid sleep 7654321 & sleep 7654321"),
                                  {output}, {});
      ::_exit(0);
    }
    struct stat said {};
    // A different moment each time: at the very beginning, while it is set up, while it runs.
    const auto until = std::chrono::steady_clock::now() + std::chrono::milliseconds(round * 2);
    while (::fstat(ready.get(), &said) == 0 && said.st_size == 0 &&
           (round == 9 || std::chrono::steady_clock::now() < until)) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    ASSERT_EQ(::kill(parent, SIGKILL), 0);
    ASSERT_EQ(::waitpid(parent, nullptr, 0), parent);
  }
  for (int i = 0; i < 1000 && traces_now().processes != before.processes; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  EXPECT_EQ(traces_now(), before);
  // Groups of dead processes go with the first step of the next program.
  const pid_t next = ::fork();
  ASSERT_GE(next, 0);
  if (next == 0) {
    NullSink output;
    ::_exit(builtin_runner()->run(limited(root, "true"), {output}, {}).exit_status);
  }
  int status = -1;
  ASSERT_EQ(::waitpid(next, &status, 0), next);
  EXPECT_EQ(status, 0);
  for (const Hierarchy& hierarchy : find_hierarchies()) {
    for (const auto& entry : fs::directory_iterator(cat(hierarchy.mount, "/", hierarchy.own))) {
      const std::string name = entry.path().filename();
      if (name.rfind("lade-step-", 0) != 0) continue;
      const auto pid = parse_decimal(std::string_view(name).substr(10, name.find('-', 10) - 10));
      EXPECT_TRUE(pid && ::kill(static_cast<pid_t>(*pid), 0) == 0) << entry.path();
    }
  }
}

}  // namespace
}  // namespace lade::sandbox
