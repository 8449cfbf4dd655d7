// The time of a step that does nothing, from ready root file system to its status, beside `crun
// run` and `bwrap` for the same set-up: median of paired rounds. As root; see README.md.
#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iostream>
#include <string>
#include <vector>

#include <fcntl.h>
#include <sched.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/io/path.h"
#include "libimage/io/stream.h"
#include "libimage/runtime/config_json.h"
#include "libimage/sandbox/seccomp_filter.h"
#include "libimage/sandbox/step_runner.h"

namespace {

namespace fs = std::filesystem;
using namespace lade;

void spawn_and_wait(const std::vector<std::string>& words) {
  std::vector<char*> args;
  for (const std::string& word : words) args.push_back(const_cast<char*>(word.c_str()));
  args.push_back(nullptr);
  pid_t pid = -1;
  int status = -1;
  if (::posix_spawnp(&pid, args[0], nullptr, nullptr, args.data(), environ) != 0 ||
      ::waitpid(pid, &status, 0) != pid || status != 0) {
    throw Error(Errc::command_failed, cat(words[0], " failed"));
  }
}

struct Side {
  std::string name;
  std::function<void()> run;
  std::vector<double> milliseconds = {};
};

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

/// crun 1.8.1 refuses machines with controllers in a second hierarchy: here there is none.
void hide_second_hierarchy() {
  if (::unshare(CLONE_NEWNS) != 0 ||
      ::mount(nullptr, "/", nullptr, MS_PRIVATE | MS_REC, nullptr) != 0) {
    throw_errno("make a mount namespace");
  }
  (void)::umount2("/sys/fs/cgroup/unified", MNT_DETACH);
}

std::string make_root(const TempDir& dir) {
  std::string root = dir.path() + "/rootfs";
  fs::create_directories(root + "/bin");
  fs::copy_file("/bin/busybox", root + "/bin/true");
  return root;
}

/// The filter as bwrap reads it: an inherited descriptor.
UniqueFd filter_file(const sandbox::SeccompRules& rules) {
  UniqueFd file(::memfd_create("filter", 0));
  if (!file) throw_errno("create memory file");
  FdSink(file.get(), "filter").write(bytes_of(sandbox::compile_seccomp(rules)));
  return file;
}

/// The same set-up as bwrap's options: mounts, masks, read-only paths, filter.
std::vector<std::string> bwrap_words(const sandbox::RuntimeConfig& step, const UniqueFd& filter) {
  std::vector<std::string> words;
  const auto add = [&](std::initializer_list<std::string> more) {
    words.insert(words.end(), more);
  };
  add({"bwrap", "--unshare-all", "--bind", step.root.path, "/", "--proc", "/proc"});
  add({"--dev", "/dev", "--tmpfs", "/dev/shm", "--mqueue", "/dev/mqueue"});
  add({"--ro-bind", "/sys", "/sys", "--hostname", "lade", "--cap-drop", "ALL"});
  add({"--seccomp", cat(filter.get()), "--die-with-parent", "--new-session"});
  for (const std::string& path : step.readonly_paths) {
    if (fs::exists(path)) add({"--ro-bind", path, path});
  }
  for (const std::string& path : step.masked_paths) {
    if (fs::is_directory(path)) {
      add({"--tmpfs", path, "--remount-ro", path});
    } else if (fs::exists(path)) {
      add({"--ro-bind", "/dev/null", path});
    }
  }
  words.emplace_back("/bin/true");
  return words;
}

int measure(int rounds) {
  const TempDir dir("/tmp", "lade-bench-");
  const std::string root = make_root(dir);
  sandbox::RuntimeConfig step = sandbox::default_config();
  step.root.path = root;
  step.process.args = {"/bin/true"};
  std::ofstream(dir.path() + "/config.json") << runtime::serialise(step);
  const auto runner = sandbox::builtin_runner();
  NullSink
      first;  // this program's file is opened by the first step, in the namespace that it is of
  (void)runner->run(step, {first}, {});
  hide_second_hierarchy();
  std::vector<Side> sides;
  sides.push_back({"lade", [&] {
                     NullSink output;
                     (void)runner->run(step, {output}, {});
                   }});
  int number = 0;
  sides.push_back({"crun", [&] {
                     spawn_and_wait({"crun", "--root", dir.path() + "/state", "run", "--bundle",
                                     dir.path(), cat("bench", ++number)});
                   }});
  const UniqueFd filter = filter_file(*step.seccomp);
  const std::vector<std::string> bwrap = bwrap_words(step, filter);
  sides.push_back({"bwrap", [&] {
                     if (::lseek(filter.get(), 0, SEEK_SET) != 0) throw_errno("rewind filter");
                     spawn_and_wait(bwrap);
                   }});
  for (int round = 0; round <= rounds; ++round) {
    for (Side& side : sides) {
      const auto start = std::chrono::steady_clock::now();
      side.run();
      const std::chrono::duration<double, std::milli> took =
          std::chrono::steady_clock::now() - start;
      if (round > 0) side.milliseconds.push_back(took.count());  // the first warms up
    }
  }
  const double ours = median(sides[0].milliseconds);
  for (const Side& side : sides) {
    const double theirs = median(side.milliseconds);
    std::cout << side.name << ": median " << theirs << " ms, lade / " << side.name << " "
              << ours / theirs << "\n";
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  lade::sandbox::run_step_if_asked(argc, argv);
  try {
    return measure(argc > 1 ? std::atoi(argv[1]) : 40);
  } catch (const std::exception& e) {
    std::cerr << e.what() << "\n";
    return 1;
  }
}
