#include "libimage/runtime/container.h"

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/io/path.h"
#include "libimage/runtime/config_json.h"

namespace lade::runtime {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

/// A bundle whose program is busybox, and a runtime beside it.
class Containers : public ::testing::Test {
 protected:
  Containers()
      : dir_(std::getenv("TMPDIR") != nullptr ? std::getenv("TMPDIR") : "/tmp", "lade-runtime-"),
        runtime_(dir_.path() + "/state", [this](const std::string& text) { told_ += text; }) {
    fs::permissions(dir_.path(), fs::perms{0755});
    fs::create_directories(bundle() + "/rootfs/bin");
    fs::copy_file("/bin/busybox", bundle() + "/rootfs/bin/busybox");
    for (const char* applet : {"sh", "sleep", "true"}) {
      fs::create_symlink("busybox", bundle() + "/rootfs/bin/" + applet);
    }
    write({"/bin/sleep", "100"});
    null_.reset(::open("/dev/null", O_RDWR | O_CLOEXEC));
    options_ = {.input = null_.get(), .output = null_.get(), .errors = 2};
  }
  ~Containers() override { runtime_.remove("box", Runtime::Force::kill_running); }

  [[nodiscard]] std::string bundle() const { return dir_.path() + "/bundle"; }
  [[nodiscard]] std::string state_dir() const { return dir_.path() + "/state/box"; }
  void write(std::vector<std::string> args, const sandbox::Hooks& hooks = {}) const {
    sandbox::RuntimeConfig config = sandbox::default_config();
    config.process.args = std::move(args);
    config.process.env = {"PATH=/bin"};
    config.root.path = "rootfs";
    config.hooks = hooks;
    config.cgroups_path = cat("lade-test/", ::getpid());
    std::ofstream(bundle() + "/config.json") << serialise(config);
  }
  [[nodiscard]] std::string status() {
    const std::string text = runtime_.state("box");
    const std::size_t at = text.find("\"status\":\"") + 10;
    return text.substr(at, text.find('"', at) - at);
  }
  template <typename Body>
  [[nodiscard]] std::string failure(const Body& body) {
    try {
      body();
      return "";
    } catch (const Error& e) {
      return e.what();
    }
  }

  TempDir dir_;
  Runtime runtime_;
  UniqueFd null_;
  ProcessOptions options_;
  std::string told_;
};

TEST_F(Containers, LiveTheirLife) {
  const Child child = runtime_.create("box", bundle(), options_);
  EXPECT_EQ(status(), "created");
  EXPECT_THAT(failure([&] { (void)runtime_.create("box", bundle(), options_); }),
              HasSubstr("already exists"));
  runtime_.start("box");
  EXPECT_EQ(status(), "running");
  EXPECT_THAT(failure([&] { runtime_.start("box"); }), HasSubstr("it is running, not created"));
  EXPECT_THAT(failure([&] { runtime_.remove("box", Runtime::Force::refuse_running); }),
              HasSubstr("it is running, not stopped"));
  runtime_.kill("box", SIGKILL, Runtime::Reach::first_process);
  EXPECT_EQ(wait_for(child), 137);
  EXPECT_EQ(status(), "stopped");
  runtime_.remove("box", Runtime::Force::refuse_running);
  EXPECT_THAT(failure([&] { (void)runtime_.state("box"); }), HasSubstr("does not exist"));
}

TEST_F(Containers, AreNotStartedByTheNumberOfAnotherProcess) {
  const Child child = runtime_.create("box", bundle(), options_);
  runtime_.start("box");
  runtime_.kill("box", SIGKILL, Runtime::Reach::first_process);
  (void)wait_for(child);
  // The number is another's now.
  const StateRoot root(dir_.path() + "/state");
  const ContainerState state = root.open("box");
  Record record = state.record();
  record.pid = ::getpid();
  state.save(record);
  EXPECT_EQ(status(), "stopped");
  EXPECT_THAT(failure([&] { runtime_.kill("box", SIGKILL, Runtime::Reach::first_process); }),
              HasSubstr("not running"));
}

TEST_F(Containers, ThatFailToBeMadeLeaveNothing) {
  write({"missing"});
  EXPECT_THAT(failure([&] { (void)runtime_.create("box", bundle(), options_); }),
              HasSubstr("executable file not found in $PATH"));
  EXPECT_FALSE(fs::exists(state_dir()));
  sandbox::Hooks hooks;
  hooks.create_runtime = {{.path = "/bin/false"}};
  write({"/bin/true"}, hooks);
  EXPECT_THAT(failure([&] { (void)runtime_.create("box", bundle(), options_); }),
              HasSubstr("hook createRuntime '/bin/false': ended with status 1"));
  EXPECT_FALSE(fs::exists(state_dir()));
  hooks.create_runtime = {{.path = "/bin/sleep", .args = {"sleep", "60"}, .timeout = 1}};
  write({"/bin/true"}, hooks);
  EXPECT_THAT(failure([&] { (void)runtime_.create("box", bundle(), options_); }),
              HasSubstr("took longer than 1 s"));
  EXPECT_FALSE(fs::exists(state_dir()));
}

TEST_F(Containers, OfAKilledCreateAreSweptByTheNext) {
  (void)runtime_.create("box", bundle(), options_);
  std::ofstream(state_dir() + "/creating") << "";
  const pid_t left = StateRoot(dir_.path() + "/state").open("box").record().pid;
  const Child child = runtime_.create("box", bundle(), options_);
  EXPECT_NE(child.pid, left);
  EXPECT_FALSE(start_of(left)) << "ended";
  EXPECT_EQ(status(), "created");
  fs::create_directory(dir_.path() + "/state/other");  // before anything was written
  EXPECT_EQ(runtime_.list().size(), 1U);
  EXPECT_FALSE(fs::exists(dir_.path() + "/state/other"));
}

TEST_F(Containers, HaveNamesThatArePathsNever) {
  for (const char* id : {"", ".", "..", "a/b", "../x", "a b", "a\nb"}) {
    EXPECT_THAT(failure([&] { (void)runtime_.create(id, bundle(), options_); }),
                HasSubstr("is invalid"));
  }
}

TEST_F(Containers, PreserveTheDescriptorsThatTheyAreAskedTo) {
  // Number 3 of this process, whatever it is, and nothing after it.
  write({"/bin/sh", "-c", "cd /proc/self/fd; echo * > /found"});
  const UniqueFd kept(::fcntl(null_.get(), F_GETFD) >= 0 ? ::dup(null_.get()) : -1);
  ProcessOptions options = options_;
  options.preserve_fds = 1;
  const Child child = runtime_.create("box", bundle(), options);
  runtime_.start("box");
  EXPECT_EQ(wait_for(child), 0);
  const std::string found = read_file(bundle() + "/rootfs/found", 1000);
  EXPECT_THAT(found, ::testing::StartsWith("0 1 2 3"));
}

TEST(Signals, AreKnownByNameAndNumber) {
  EXPECT_EQ(signal_number("TERM"), SIGTERM);
  EXPECT_EQ(signal_number("sigkill"), SIGKILL);
  EXPECT_EQ(signal_number("9"), 9);
  EXPECT_EQ(signal_number("RTMIN+1"), SIGRTMIN + 1);
  for (const char* word : {"", "0", "65", "SIG", "TERMINATE", "-9"}) {
    EXPECT_THROW((void)signal_number(word), Error) << word;
  }
}

}  // namespace
}  // namespace lade::runtime
