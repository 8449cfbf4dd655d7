#include "libimage/sandbox/step_runner.h"

#include <csignal>
#include <filesystem>
#include <functional>
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

#include "tests/sandbox/busybox_root.h"

namespace lade::sandbox {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

RuntimeConfig command_step(const BusyboxRoot& root, std::vector<std::string> args) {
  RuntimeConfig step = shell_step({root.path()}, "");
  step.process.args = std::move(args);
  return step;
}

/// The code and text of the Error that a run ends with.
std::pair<Errc, std::string> failure_of(const RuntimeConfig& step) {
  try {
    const Ran ran = run(step);
    return {Errc::internal, cat("ran with status ", ran.status, ": ", ran.output)};
  } catch (const Error& e) {
    return {e.code(), e.what()};
  }
}

/// Requests a stop when the step has said something.
class StoppingSink final : public Sink {
 public:
  explicit StoppingSink(std::stop_source& source) : source_(source) {}
  void write(ByteView) override { source_.request_stop(); }

 private:
  std::stop_source& source_;
};

/// Seconds to sleep that tell this test's processes from all others of the machine.
std::string nap(int test) { return cat(test, ::getpid()); }

bool process_exists(const std::string& argument) {
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    try {
      const std::string line = read_file(entry.path().string() + "/cmdline", 65536);
      if (line.find(argument) != std::string::npos) return true;
    } catch (const Error&) {
      continue;  // no process, or one that has just ended
    }
  }
  return false;
}

bool soon(const std::function<bool()>& condition) {
  for (int i = 0; i < 1000 && !condition(); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return condition();
}

std::string own_mounts() { return read_file("/proc/self/mountinfo", 1 << 22); }

std::vector<std::string> own_descriptors() {
  std::vector<std::string> found;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    found.push_back(entry.path().filename().string());
  }
  return found;
}

TEST(StepRunner, PassesTheExitStatusOn) {
  const BusyboxRoot root;
  EXPECT_EQ(run_shell(root.path(), "exit 0").status, 0);
  EXPECT_EQ(run_shell(root.path(), "exit 1").status, 1);
  EXPECT_EQ(run_shell(root.path(), "exit 42").status, 42);
  EXPECT_EQ(run_shell(root.path(), "exit 300").status, 44);
}

TEST(StepRunner, TellsOfASignalBy128PlusItsNumber) {
  const BusyboxRoot root;
  EXPECT_EQ(run_shell(root.path(), "kill -TERM $$").status, 128 + SIGTERM);
  EXPECT_EQ(run_shell(root.path(), "kill -KILL $$").status, 128 + SIGKILL);
}

TEST(StepRunner, SaysWhyACommandCannotBeExecuted) {
  const BusyboxRoot root;
  write_file(root.path() + "/plain", "text");
  write_file(root.path() + "/text", "text", 0755);
  write_file(root.path() + "/script", "#!/missing\n", 0755);
  const Ran missing = run(command_step(root, {"nothing-like-it"}));
  EXPECT_EQ(missing.status, 127);
  EXPECT_EQ(missing.output, "lade: 'nothing-like-it': command not found\n");
  const Ran path = run(command_step(root, {"/bin/nothing"}));
  EXPECT_EQ(path.status, 127);
  EXPECT_EQ(path.output, "lade: execute '/bin/nothing': no such file or directory\n");
  EXPECT_EQ(run(command_step(root, {"/script"})).status, 127);
  EXPECT_EQ(run(command_step(root, {"/plain"})).status, 126);
  EXPECT_EQ(run(command_step(root, {"/text"})).status, 126);
  EXPECT_EQ(run(command_step(root, {"/bin"})).status, 126);
}

TEST(StepRunner, FindsTheCommandInThePathOfTheStep) {
  const BusyboxRoot root;
  std::filesystem::create_directory(root.path() + "/tools");
  write_file(root.path() + "/tools/hello", "#!/bin/sh\necho hello from $0\n", 0755);
  RuntimeConfig step = command_step(root, {"hello"});
  step.process.env = {"PATH=/missing:/tools:/bin"};
  EXPECT_EQ(run(step).output, "hello from /tools/hello\n");
  step.process.args = {"true"};
  step.process.env = {};
  EXPECT_EQ(run(step).status, 0) << "a path of its own where the step has none";
}

TEST(StepRunner, GivesOutputAndErrorsInTheOrderOfWriting) {
  const BusyboxRoot root;
  EXPECT_EQ(run_shell(root.path(), "echo 1; echo 2 >&2; echo 3; echo 4 >&2").output,
            "1\n2\n3\n4\n");
}

TEST(StepRunner, GivesNoInput) {
  const BusyboxRoot root;
  EXPECT_EQ(run_shell(root.path(), "wc -c; readlink /proc/self/fd/0").output, "0\n/dev/null\n");
}

TEST(StepRunner, PassesExactlyTheStepsEnvironment) {
  const BusyboxRoot root;
  ::setenv("LADE_TEST_TOKEN", "secret", 1);
  RuntimeConfig step = command_step(root, {"/bin/env"});
  step.process.env = {"B=2", "A=with space", "PATH=/bin"};
  EXPECT_THAT(lines(run(step).output), ElementsAre("B=2", "A=with space", "PATH=/bin"));
  ::unsetenv("LADE_TEST_TOKEN");
}

TEST(StepRunner, TakesTheUserTheGroupsAndTheUmask) {
  const BusyboxRoot root;
  RuntimeConfig step = shell_step(
      {root.path()}, "id; umask; grep -E '^(Cap(Inh|Prm|Eff|Amb)|Groups)' /proc/self/status");
  step.process.user = {1000, 1001, {7, 8}, 027};
  EXPECT_THAT(
      lines(run(step).output),
      ElementsAre(HasSubstr("uid=1000 gid=1001 groups=7,8,1001"), "0027", "Groups:\t7 8 1001 ",
                  "CapInh:\t0000000000000000", "CapPrm:\t0000000000000000",
                  "CapEff:\t0000000000000000", "CapAmb:\t0000000000000000"));
}

TEST(StepRunner, LetsAnotherUserOpenItsOwnOutput) {
  const BusyboxRoot root;
  RuntimeConfig step = shell_step({root.path()}, "echo out > /dev/stdout; echo err > /dev/stderr");
  step.process.user = {1000, 1000};
  EXPECT_EQ(run(step).output, "out\nerr\n");
}

TEST(StepRunner, MakesAMissingWorkingDirectory) {
  const BusyboxRoot root;
  RuntimeConfig step = shell_step({root.path()}, "pwd; stat -c '%u %g %a' .");
  step.process.cwd = "/new/place";
  step.process.user = {1000, 1000};
  EXPECT_THAT(lines(run(step).output), ElementsAre("/new/place", "0 0 755"));
  EXPECT_TRUE(std::filesystem::is_directory(root.path() + "/new/place"));
}

TEST(StepRunner, FollowsTheImagesLinksToTheWorkingDirectoryInsideTheRoot) {
  const BusyboxRoot root;
  std::filesystem::create_symlink("/../../real", root.path() + "/link");
  RuntimeConfig step = shell_step({root.path()}, "readlink -f .");
  step.process.cwd = "/link/deeper";
  EXPECT_EQ(run(step).output, "/real/deeper\n");
  EXPECT_TRUE(std::filesystem::is_directory(root.path() + "/real/deeper"));
}

TEST(StepRunner, SetsTheHostname) {
  const BusyboxRoot root;
  RuntimeConfig step = shell_step({root.path()}, "hostname");
  step.hostname = "builder-7";
  EXPECT_EQ(run(step).output, "builder-7\n");
}

TEST(StepRunner, SetsLimitsAndKeepsThoseThatItMayNotRaise) {
  const BusyboxRoot root;
  std::filesystem::copy_file(CALL_PROBER, root.path() + "/prober");
  RuntimeConfig step = command_step(root, {"/prober", "nofile"});
  step.process.rlimits = {{"RLIMIT_NOFILE", 100, 200}};
  EXPECT_THAT(lines(run(step).output), ElementsAre("100 200", "nofile: ok"));
  step.process.rlimits = {{"RLIMIT_NOFILE", ~std::uint64_t{0} - 1, ~std::uint64_t{0} - 1}};
  EXPECT_EQ(run(step).status, 0) << "beyond what the kernel allows anyone";
}

TEST(StepRunner, MakesTheRootReadOnlyOnRequest) {
  const BusyboxRoot root;
  RuntimeConfig step = shell_step({root.path(), {}, true}, "echo x > /new; echo y > /dev/shm/ok");
  const Ran ran = run(step);
  EXPECT_THAT(ran.output, HasSubstr("Read-only file system"));
  EXPECT_EQ(ran.status, 0);
  EXPECT_FALSE(std::filesystem::exists(root.path() + "/proc")) << "mount points are unmade";
}

TEST(StepRunner, NamesWhatFailedInTheSetUpAndNeverTakesItForAStatus) {
  const BusyboxRoot root;
  RuntimeConfig step = shell_step({root.path()}, "exit 3");
  step.root.path = root.path() + "/missing";
  EXPECT_EQ(failure_of(step).first, Errc::not_found);
  EXPECT_THAT(failure_of(step).second, HasSubstr("set up step: open root"));
  step.root.path = root.path() + "/bin/busybox";
  EXPECT_THAT(failure_of(step).second, HasSubstr("not a directory"));
  step.root.path = root.path();
  step.mounts.push_back({"/x", "bind", root.path() + "/missing"});
  EXPECT_EQ(failure_of(step).first, Errc::not_found);
  EXPECT_THAT(failure_of(step).second, HasSubstr("mount '/x': open source"));
  step.mounts.back() = {"/x", "tmpfs", "", {"size=nonsense"}};
  EXPECT_THAT(failure_of(step).second, HasSubstr("set up step: mount '/x'"));
  step.mounts.pop_back();
  step.process.cwd = "/bin/busybox";
  EXPECT_THAT(failure_of(step).second, HasSubstr("set up step: working directory"));
}

TEST(StepRunner, EndsEverythingWhenStopped) {
  const BusyboxRoot root;
  std::stop_source source;
  StoppingSink output(source);
  const RuntimeConfig step =
      shell_step({root.path()},
                 "(setsid sleep " + nap(1) + " &) ; trap '' TERM INT; echo ready; sleep " + nap(2));
  EXPECT_THROW((void)builtin_runner()->run(step, {output}, source.get_token()), Cancelled);
  EXPECT_FALSE(process_exists(nap(1)));
  EXPECT_FALSE(process_exists(nap(2)));
  EXPECT_FALSE(std::filesystem::exists(root.path() + "/proc")) << "mount points are unmade";
}

TEST(StepRunner, StartsNothingIfStoppedBefore) {
  const BusyboxRoot root;
  std::stop_source source;
  source.request_stop();
  EXPECT_THROW(run(shell_step({root.path()}, "touch /ran"), source.get_token()), Cancelled);
  EXPECT_FALSE(std::filesystem::exists(root.path() + "/ran"));
}

TEST(StepRunner, EndsTheStepIfItsOutputCannotBeTaken) {
  class FailingSink final : public Sink {
   public:
    void write(ByteView) override { throw Error(Errc::io, "sink: disk full"); }
  };
  const BusyboxRoot root;
  FailingSink output;
  EXPECT_THROW((void)builtin_runner()->run(shell_step({root.path()}, "echo x; sleep " + nap(3)),
                                           {output}, {}),
               Error);
  EXPECT_FALSE(process_exists(nap(3)));
}

TEST(StepRunner, DiesWithItsParent) {
  const BusyboxRoot root;
  const UniqueFd ready(::memfd_create("ready", MFD_CLOEXEC));
  const std::string seconds = nap(4);
  const pid_t parent = ::fork();
  ASSERT_GE(parent, 0);
  if (parent == 0) {
    FdSink output(ready.get(), "ready");
    (void)builtin_runner()->run(shell_step({root.path()}, "echo ready; sleep " + seconds), {output},
                                {});
    ::_exit(0);
  }
  struct stat said {};
  while (::fstat(ready.get(), &said) == 0 && said.st_size == 0) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  EXPECT_TRUE(process_exists(seconds));
  ASSERT_EQ(::kill(parent, SIGKILL), 0);
  ASSERT_EQ(::waitpid(parent, nullptr, 0), parent);
  EXPECT_TRUE(soon([&] { return !process_exists(seconds); }));
  EXPECT_TRUE(soon([&] { return !std::filesystem::exists(root.path() + "/proc"); }))
      << "mount points are unmade";
}

TEST(StepRunner, EndsDaemonsThatTheCommandLeaves) {
  const BusyboxRoot root;
  const Ran ran = run_shell(root.path(), "setsid sleep " + nap(5) + " & echo started");
  EXPECT_EQ(ran.output, "started\n");
  EXPECT_FALSE(process_exists(nap(5)));
}

TEST(StepRunner, ReapsOrphans) {
  const BusyboxRoot root;
  const Ran ran = run_shell(root.path(),
                            "i=0; while [ $i -lt 20 ]; do (true &) ; i=$((i+1)); done; sleep 0.1; "
                            "ps -o stat | grep -c Z");
  EXPECT_EQ(ran.output, "0\n");
}

TEST(StepRunner, PassesSignalsForItsFirstProcessToTheCommand) {
  const BusyboxRoot root;
  EXPECT_EQ(run_shell(root.path(), "trap 'exit 7' TERM; kill -TERM 1; sleep 5 & wait").status, 7);
  EXPECT_EQ(run_shell(root.path(), "kill -KILL 1; kill -STOP 1; exit 8").status, 8);
}

TEST(StepRunner, PassesMuchOutputInBoundedPieces) {
  class MeasuringSink final : public Sink {
   public:
    void write(ByteView data) override {
      total += data.size();
      largest = std::max(largest, data.size());
    }
    std::size_t total = 0;
    std::size_t largest = 0;
  };
  const BusyboxRoot root;
  MeasuringSink output;
  const auto status =
      builtin_runner()->run(shell_step({root.path()}, "yes | head -c 50000000"), {output}, {});
  EXPECT_EQ(status.exit_status, 0);
  EXPECT_EQ(output.total, 50'000'000U);
  EXPECT_LE(output.largest, std::size_t{64} * 1024);
}

TEST(StepRunner, LeavesNoMountNoProcessAndNoDescriptorBehind) {
  const OverlaidRoot root;
  const auto runner = builtin_runner();
  NullSink output;
  (void)runner->run(shell_step({{}, root.overlay()}, "true"), {output}, {});
  const std::string mounts = own_mounts();
  const auto descriptors = own_descriptors();
  for (int i = 0; i < 50; ++i) {
    (void)runner->run(shell_step({{}, root.overlay()}, "sleep " + nap(6) + " & true"), {output},
                      {});
  }
  EXPECT_EQ(own_mounts(), mounts);
  EXPECT_EQ(own_descriptors(), descriptors);
  EXPECT_FALSE(process_exists(nap(6)));
  EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG | __WALL), -1);
  EXPECT_EQ(errno, ECHILD);
}

TEST(StepRunner, RunsStepsOfSeveralThreadsAtOnce) {
  const std::vector<BusyboxRoot> roots(4);
  const auto runner = builtin_runner();
  std::vector<std::string> outputs(roots.size());
  {
    std::vector<std::jthread> threads;
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      threads.emplace_back([&, i] {
        StringSink output;
        RuntimeConfig step = shell_step({roots[i].path()}, cat("echo ", i, "; exit ", i));
        const StepStatus status = runner->run(step, {output}, {});
        outputs[i] = cat(status.exit_status, " ", output.text());
      });
    }
  }
  EXPECT_THAT(outputs, ElementsAre("0 0\n", "1 1\n", "2 2\n", "3 3\n"));
}

TEST(Probe, FindsThatStepsRunHere) {
  const TempDir scratch("/tmp");
  const Abilities abilities = probe(scratch.path());
  EXPECT_TRUE(abilities.namespaces) << abilities.why_not;
  EXPECT_TRUE(abilities.overlay) << abilities.why_not;
  EXPECT_TRUE(std::filesystem::is_empty(scratch.path()));
}

TEST(Probe, SaysWhyThereIsNoOverlay) {
  const Abilities abilities = probe("/dev/shm");  // tmpfs may or may not serve as an upper
  EXPECT_EQ(abilities.overlay, abilities.why_not.empty());
}

}  // namespace
}  // namespace lade::sandbox
