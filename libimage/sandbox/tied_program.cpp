#include "libimage/sandbox/tied_program.h"

#include <array>
#include <cerrno>
#include <csignal>
#include <utility>

#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"

namespace lade::sandbox {
namespace {

constexpr rlim_t kMaxOutput = rlim_t{1} << 20U;

/// What the two processes need, made before the fork: this process has threads, so that nothing may
/// be allocated between it and the program.
struct Plan {
  const char* path;
  char* const* args;
  int output;
  int tie;  // the reading end
};

/// fork(2) without what a C library does around it.
pid_t plain_fork(unsigned long flags) {
  return static_cast<pid_t>(::syscall(SYS_clone, flags | SIGCHLD, nullptr, nullptr, nullptr, 0));
}

[[noreturn]] void become_program(const Plan& plan) {
  static const char path[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
  std::array<char, sizeof path> variable{};
  for (std::size_t i = 0; i < sizeof path; ++i) variable[i] = path[i];
  char* const environment[] = {variable.data(), nullptr};
  const rlimit limit{kMaxOutput, kMaxOutput};
  (void)::setrlimit(RLIMIT_FSIZE, &limit);
  (void)::signal(SIGXFSZ, SIG_IGN);  // then a log that is too long ends, not the program
  (void)::syscall(SYS_close_range, 3U, ~0U, 0U);
  ::execve(plan.path, plan.args, environment);
  ::_exit(127);
}

/// The first process of the pid namespace: when it ends, the kernel kills the others.
[[noreturn]] void watch(const Plan& plan) {
  (void)::setsid();  // a terminal's interrupt is for the build, which ends this
  if (::dup2(plan.tie, 3) != 3 || ::dup2(plan.output, 4) != 4) ::_exit(1);
  const int null = ::open("/dev/null", O_RDWR);
  if (null < 0 || ::dup2(null, 0) != 0 || ::dup2(4, 1) != 1 || ::dup2(4, 2) != 2) ::_exit(1);
  (void)::syscall(SYS_close_range, 4U, ~0U, 0U);
  if (::chdir("/") != 0) ::_exit(1);
  for (int signal = 1; signal < NSIG; ++signal) (void)::signal(signal, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  (void)::sigprocmask(SIG_SETMASK, &none, nullptr);
  const pid_t program = plain_fork(0);
  if (program < 0) ::_exit(1);
  if (program == 0) become_program(plan);
  const int pidfd = static_cast<int>(::syscall(SYS_pidfd_open, program, 0U));
  std::array<pollfd, 2> watched = {{{3, POLLIN, 0}, {pidfd, POLLIN, 0}}};
  while (pidfd >= 0 && ::poll(watched.data(), watched.size(), -1) < 0 && errno == EINTR) {
  }
  ::_exit(0);
}

}  // namespace

TiedProgram TiedProgram::start(const std::vector<std::string>& args, int output) {
  std::vector<std::string> words = args;
  std::vector<char*> pointers;
  for (std::string& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  PipeEnds ends = make_pipe();
  TiedProgram out;
  out.tie_ = std::move(ends.write);
  // Above what watch() gives numbers to.
  const UniqueFd tie(::fcntl(ends.read.get(), F_DUPFD_CLOEXEC, 10));
  const UniqueFd taken(::fcntl(output, F_DUPFD_CLOEXEC, 10));
  if (!tie || !taken) throw_errno("duplicate descriptor");
  const Plan plan{words.front().c_str(), pointers.data(), taken.get(), tie.get()};
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);  // no handler of this process runs in that one
  const pid_t pid = plain_fork(CLONE_NEWPID);
  if (pid == 0) watch(plan);
  const int error = errno;
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (pid < 0) throw_errno(cat("start ", quoted(args.front())), error);
  out.watcher_ = pid;
  out.process_ = UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0U)));
  if (!out.process_) throw_errno(cat("watch ", quoted(args.front())));
  return out;
}

TiedProgram::TiedProgram(TiedProgram&& other) noexcept
    : watcher_(std::exchange(other.watcher_, -1)),
      tie_(std::move(other.tie_)),
      process_(std::move(other.process_)) {}

TiedProgram& TiedProgram::operator=(TiedProgram&& other) noexcept {
  if (this == &other) return *this;
  end();
  watcher_ = std::exchange(other.watcher_, -1);
  tie_ = std::move(other.tie_);
  process_ = std::move(other.process_);
  return *this;
}

TiedProgram::~TiedProgram() { end(); }

bool TiedProgram::has_ended() const {
  if (watcher_ < 0) return true;
  pollfd watched{process_.get(), POLLIN, 0};
  return ::poll(&watched, 1, 0) > 0;
}

void TiedProgram::end() noexcept {
  if (watcher_ < 0) return;
  (void)::kill(watcher_,
               SIGKILL);  // a child of ours that was not waited for: the number is its own
  while (::waitpid(watcher_, nullptr, __WALL) < 0 && errno == EINTR) {
  }
  watcher_ = -1;
  tie_.reset();
}

}  // namespace lade::sandbox
