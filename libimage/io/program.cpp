#include "libimage/io/program.h"

#include <algorithm>
#include <cerrno>
#include <csignal>

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/base/unique_fd.h"

namespace lade {
namespace {

constexpr std::size_t kMaxErr = std::size_t{64} * 1024;

/// A file without a name that holds the program's input: no pipe to fill while it runs.
UniqueFd input_file(const std::string& text) {
  if (text.empty()) {
    UniqueFd none(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    if (!none) throw_errno("open /dev/null");
    return none;
  }
  UniqueFd file(::memfd_create("lade-input", MFD_CLOEXEC));
  if (!file) throw_errno("make a file in memory");
  for (std::size_t done = 0; done < text.size();) {
    const ssize_t wrote = ::write(file.get(), text.data() + done, text.size() - done);
    if (wrote < 0 && errno != EINTR) throw_errno("write a file in memory");
    if (wrote > 0) done += static_cast<std::size_t>(wrote);
  }
  if (::lseek(file.get(), 0, SEEK_SET) != 0) throw_errno("rewind a file in memory");
  return file;
}

std::vector<char*> pointers(std::vector<std::string>& words) {
  std::vector<char*> out;
  for (std::string& word : words) out.push_back(word.data());
  out.push_back(nullptr);
  return out;
}

/// What posix_spawn is told; freed whatever happens.
class SpawnPlan {
 public:
  SpawnPlan() {
    ::posix_spawn_file_actions_init(&files);
    ::posix_spawnattr_init(&attributes);
  }
  ~SpawnPlan() {
    ::posix_spawn_file_actions_destroy(&files);
    ::posix_spawnattr_destroy(&attributes);
  }
  SpawnPlan(const SpawnPlan&) = delete;
  SpawnPlan& operator=(const SpawnPlan&) = delete;
  posix_spawn_file_actions_t files;
  posix_spawnattr_t attributes;
};

/// A running program, killed with its group and reaped if its owner gives up.
class Child {
 public:
  Child(const ProgramCall& call, int input, int out, int err) {
    SpawnPlan plan;
    ::posix_spawn_file_actions_adddup2(&plan.files, input, STDIN_FILENO);
    ::posix_spawn_file_actions_adddup2(&plan.files, out, STDOUT_FILENO);
    ::posix_spawn_file_actions_adddup2(&plan.files, err, STDERR_FILENO);
    ::posix_spawn_file_actions_addclosefrom_np(&plan.files, STDERR_FILENO + 1);
    if (!call.directory.empty())
      ::posix_spawn_file_actions_addchdir_np(&plan.files, call.directory.c_str());
    sigset_t none;
    sigset_t all;
    ::sigemptyset(&none);
    ::sigfillset(&all);
    ::posix_spawnattr_setsigmask(&plan.attributes, &none);
    ::posix_spawnattr_setsigdefault(&plan.attributes, &all);
    ::posix_spawnattr_setpgroup(&plan.attributes, 0);
    ::posix_spawnattr_setflags(
        &plan.attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
    std::vector<std::string> words = call.args;
    words.insert(words.begin(), call.path);
    std::vector<std::string> variables = call.environment;
    const int failed = ::posix_spawn(&pid_, call.path.c_str(), &plan.files, &plan.attributes,
                                     pointers(words).data(), pointers(variables).data());
    if (failed != 0) throw_errno(cat("run ", quoted(call.path)), failed);
  }
  ~Child() {
    if (pid_ <= 0) return;
    ::kill(-pid_, SIGKILL);
    (void)wait();
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  int wait() {
    int status = 0;
    while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    pid_ = 0;
    return exit_status_of(status);
  }

 private:
  pid_t pid_ = 0;
};

/// How long poll(2) may wait.
class Deadline {
 public:
  explicit Deadline(const std::optional<std::chrono::milliseconds>& timeout) {
    if (timeout) end_ = std::chrono::steady_clock::now() + *timeout;
  }
  /// -1: without end; 0: it is over.
  [[nodiscard]] int milliseconds_left() const {
    if (!end_) return -1;
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        *end_ - std::chrono::steady_clock::now());
    return static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, 1'000'000'000));
  }

 private:
  std::optional<std::chrono::steady_clock::time_point> end_;
};

/// Reads what is there into `out`; false at the end.
bool take(int fd, std::string& out) {
  char chunk[16384];
  const ssize_t got = ::read(fd, chunk, sizeof chunk);
  if (got < 0 && errno == EINTR) return true;
  if (got < 0) throw_errno("read a program's output");
  out.append(chunk, static_cast<std::size_t>(got));
  return got > 0;
}

}  // namespace

ProgramResult run_program(const ProgramCall& call, const std::stop_token& stop) {
  const UniqueFd input = input_file(call.input);
  PipeEnds out = make_pipe();
  PipeEnds err = make_pipe();
  const UniqueFd stopped(::eventfd(0, EFD_CLOEXEC));
  if (!stopped) throw_errno("make an event");
  Child child(call, input.get(), out.write.get(), err.write.get());
  out.write.reset();
  err.write.reset();
  const std::stop_callback wake(stop, [&] {
    const std::uint64_t one = 1;
    (void)!::write(stopped.get(), &one, sizeof one);
  });
  ProgramResult result;
  pollfd waiting[] = {
      {out.read.get(), POLLIN, 0}, {err.read.get(), POLLIN, 0}, {stopped.get(), POLLIN, 0}};
  const Deadline deadline(call.timeout);
  while (waiting[0].fd >= 0 || waiting[1].fd >= 0) {
    const int ready = ::poll(waiting, 3, deadline.milliseconds_left());
    if (ready < 0) {
      if (errno == EINTR) continue;
      throw_errno("wait for a program");
    }
    if (ready == 0) throw Error(Errc::command_failed, cat(quoted(call.path), " does not answer"));
    if (waiting[2].revents != 0) throw Cancelled();
    if (waiting[0].revents != 0 && !take(waiting[0].fd, result.out)) waiting[0].fd = -1;
    if (waiting[1].revents != 0 && !take(waiting[1].fd, result.err)) waiting[1].fd = -1;
    if (result.out.size() > call.max_output)
      throw Error(Errc::limit_exceeded,
                  cat(quoted(call.path), " prints more than ", call.max_output, " bytes"));
    if (result.err.size() > 2 * kMaxErr) result.err.erase(0, result.err.size() - kMaxErr);
  }
  result.status = child.wait();
  return result;
}

int exit_status_of(int wait_status) noexcept {
  return WIFSIGNALED(wait_status) ? 128 + WTERMSIG(wait_status) : WEXITSTATUS(wait_status);
}

std::string find_program(const std::string& name, const std::string& path) {
  for (const std::string_view directory : split(path, ':')) {
    if (!directory.starts_with('/')) continue;  // never the current directory's
    std::string candidate = cat(directory, "/", name);
    if (::access(candidate.c_str(), X_OK) == 0) return candidate;
  }
  throw Error(Errc::not_found, cat("there is no program ", quoted(name), " in $PATH"));
}

}  // namespace lade
