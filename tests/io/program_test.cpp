// Programs of the system, run for what they print.
#include "libimage/io/program.h"

#include <thread>

#include <gmock/gmock.h>

#include "libimage/base/error.h"

namespace lade {
namespace {

using testing::HasSubstr;

ProgramCall shell(std::string line) { return {.path = "/bin/sh", .args = {"-c", std::move(line)}}; }

TEST(RunProgram, ReturnsStatusOutputAndErrors) {
  ProgramCall call = shell("cat; echo \"$A\" >&2; pwd; exit 3");
  call.environment = {"A=b c"};
  call.directory = "/";
  call.input = "in\n";
  const ProgramResult result = run_program(call, {});
  EXPECT_EQ(result.status, 3);
  EXPECT_EQ(result.out, "in\n/\n");
  EXPECT_EQ(result.err, "b c\n");
  EXPECT_EQ(run_program(shell("kill -9 $$"), {}).status, 137);
}

TEST(RunProgram, BoundsWhatItReads) {
  ProgramCall call = shell("while :; do echo xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx; done");
  call.max_output = 100'000;
  EXPECT_THROW(run_program(call, {}), Error);
  const ProgramResult noisy = run_program(shell("head -c 1000000 /dev/zero >&2; echo end >&2"), {});
  EXPECT_LE(noisy.err.size(), 131072U);
  EXPECT_TRUE(noisy.err.ends_with("end\n"));
}

TEST(RunProgram, StopsTheProgramAndWhatItStarted) {
  std::stop_source stop;
  std::jthread later([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    stop.request_stop();
  });
  EXPECT_THROW(run_program(shell("sleep 1000 & sleep 1000; wait"), stop.get_token()), Cancelled);
}

TEST(RunProgram, EndsWhatTakesTooLong) {
  ProgramCall call = shell("echo begun; sleep 1000");
  call.timeout = std::chrono::milliseconds(30);
  try {
    (void)run_program(call, {});
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), Errc::command_failed);
    EXPECT_THAT(e.what(), HasSubstr("does not answer"));
  }
  call = shell("echo soon");
  call.timeout = std::chrono::minutes(10);
  EXPECT_EQ(run_program(call, {}).out, "soon\n");
}

TEST(FindProgram, LooksOnlyInAbsoluteDirectories) {
  EXPECT_EQ(find_program("sh", ".:relative:/no/such:/bin"), "/bin/sh");
  EXPECT_THROW(find_program("no-such-program", "/bin"), Error);
  EXPECT_THROW(find_program("sh", ""), Error);
}

}  // namespace
}  // namespace lade
