// Steps by crun and by runc: the same results as by the built-in runner, and the same traces: none.
#include "libimage/runtime/command_runner.h"

#include <csignal>
#include <filesystem>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mount.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/io/path.h"

#include "tests/sandbox/busybox_root.h"

namespace lade::runtime {
namespace {

namespace fs = std::filesystem;
using sandbox::OverlaidRoot;
using sandbox::RuntimeConfig;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class Text final : public Sink {
 public:
  void write(ByteView data) override { text.append(chars_of(data)); }
  std::string text;
};

/// "": the built-in runner.
class CommandRunner : public ::testing::TestWithParam<const char*> {
 protected:
  CommandRunner() : scratch_("/tmp") {
    const std::string program = GetParam();
    runner_ = program.empty()
                  ? sandbox::builtin_runner()
                  : command_runner({.program = program, .flags = {}, .scratch = scratch_.path()});
  }
  ~CommandRunner() override { EXPECT_TRUE(fs::is_empty(scratch_.path())); }

  sandbox::Ran run(const RuntimeConfig& step, const std::stop_token& stop = {}) {
    Text out;
    const int status = runner_->run(step, {.output = out}, stop).exit_status;
    return {status, out.text};
  }

  TempDir scratch_;
  std::unique_ptr<sandbox::StepRunner> runner_;
};

RuntimeConfig step_in(const OverlaidRoot& root, const std::string& script) {
  RuntimeConfig step = sandbox::shell_step({{}, root.overlay()}, script);
  sandbox::write_file(root.upper() + "-hosts", "127.0.0.1 localhost\n");
  step.mounts.push_back({"/etc/hosts", "bind", root.upper() + "-hosts", {"bind", "ro"}});
  sandbox::Mount secret{.destination = "/run/secrets/key",
                        .type = "content",
                        .options = {"mode=400", "ro"},
                        .content = "of nobody"};
  step.mounts.push_back(std::move(secret));
  return step;
}

TEST_P(CommandRunner, LeavesWhatTheCommandChangedAndNothingElse) {
  const OverlaidRoot root;
  fs::create_directories(root.lower() + "/etc");
  const sandbox::Ran ran =
      run(step_in(root,
                  "cat /etc/hosts /run/secrets/key; echo of errors >&2; mkdir /made; "
                  "echo text > /made/file; rm /bin/ls"));
  EXPECT_EQ(ran.status, 0) << ran.output;
  EXPECT_EQ(ran.output, "127.0.0.1 localhost\nof nobodyof errors\n");
  EXPECT_THAT(root.changes(), ElementsAre("bin/", "bin/ls (whiteout)", "made/", "made/file"));
  EXPECT_TRUE(fs::is_empty(root.work()));
}

TEST_P(CommandRunner, TellsTheCommandsStatus) {
  const OverlaidRoot root;
  EXPECT_EQ(run(step_in(root, "exit 37")).status, 37);
  EXPECT_EQ(run(step_in(root, "sh -c 'kill -TERM $$'; exit $?")).status, 128 + SIGTERM);
  RuntimeConfig step = step_in(root, "");
  step.process.args = {"no-such-command"};
  EXPECT_EQ(run(step).status, 127);
  step.process.args = {"/etc/hosts"};
  EXPECT_EQ(run(step).status, 126);
  EXPECT_THAT(root.changes(), IsEmpty());
}

TEST_P(CommandRunner, GivesTheStepItsIdsDirectoryAndRights) {
  const OverlaidRoot root;
  RuntimeConfig step = step_in(root, "id -u; id -g; pwd; grep CapBnd /proc/self/status");
  step.process.cwd = "/work";
  step.process.user = {.uid = 12, .gid = 34};
  const sandbox::Ran ran = run(step);
  EXPECT_EQ(ran.status, 0) << ran.output;
  EXPECT_EQ(ran.output, "12\n34\n/work\nCapBnd:\t00000000800405fb\n");
  EXPECT_THAT(root.changes(), ElementsAre("work/"));
}

TEST_P(CommandRunner, EndsTheStepWhenItIsToStop) {
  const OverlaidRoot root;
  std::stop_source source;
  std::jthread stopper([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    source.request_stop();
  });
  EXPECT_THROW(run(step_in(root, "sleep 100"), source.get_token()), Cancelled);
  EXPECT_THAT(root.changes(), IsEmpty());
}

TEST_P(CommandRunner, RunsWhereThereIsNoOverlay) {
  const sandbox::BusyboxRoot root;
  const sandbox::Ran ran = run(sandbox::shell_step({root.path()}, "echo there > /file; ls /"));
  EXPECT_EQ(ran.status, 0) << ran.output;
  EXPECT_TRUE(fs::exists(root.path() + "/file"));
  EXPECT_FALSE(fs::exists(root.path() + "/proc"));
}

INSTANTIATE_TEST_SUITE_P(Runtimes, CommandRunner,
                         ::testing::Values("", "/usr/bin/crun", "/usr/sbin/runc"),
                         [](const auto& tested) {
                           const std::string program = tested.param;
                           return program.empty() ? std::string("built_in")
                                                  : program.substr(program.rfind('/') + 1);
                         });

TEST(CommandRunnerFailure, TellsWhatTheRuntimeLogged) {
  const TempDir scratch("/tmp");
  const OverlaidRoot root;
  RuntimeConfig step = step_in(root, "true");
  step.sysctl["net.no.such.key"] = "1";
  const auto runner =
      command_runner({.program = "/usr/bin/crun", .flags = {}, .scratch = scratch.path()});
  Text out;
  try {
    (void)runner->run(step, {.output = out}, {});
    ADD_FAILURE() << "ran";
  } catch (const Error& e) {
    EXPECT_THAT(e.what(), HasSubstr("runtime '/usr/bin/crun'"));
    EXPECT_THAT(e.what(), HasSubstr("no/such"));
  }
  EXPECT_THAT(root.changes(), IsEmpty());
}

}  // namespace
}  // namespace lade::runtime
