#include "libimage/sandbox/child_program.h"

#include <cerrno>
#include <csignal>

#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/base/unique_fd.h"
#include "libimage/io/stream.h"

namespace lade::sandbox {
namespace {

std::vector<char*> pointers(const std::vector<std::string>& texts) {
  std::vector<char*> list;
  for (const std::string& text : texts) list.push_back(const_cast<char*>(text.c_str()));
  list.push_back(nullptr);
  return list;
}

UniqueFd input_with(const std::optional<std::string>& text) {
  if (!text) return UniqueFd(::fcntl(0, F_DUPFD_CLOEXEC, 3));
  UniqueFd file(::memfd_create("input", MFD_CLOEXEC));
  if (!file) throw_errno("create memory file");
  FdSink(file.get(), "input").write(bytes_of(*text));
  if (::lseek(file.get(), 0, SEEK_SET) != 0) throw_errno("rewind memory file");
  return file;
}

struct Redirection {
  int input;
  int output;
};

[[noreturn]] void become(const char* path, char* const* args, char* const* env,
                         const Redirection& to) {
  for (int signal = 1; signal < NSIG; ++signal) (void)::signal(signal, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  (void)::sigprocmask(SIG_SETMASK, &none, nullptr);
  if (::dup2(to.input, 0) == 0 && ::dup2(to.output, 1) == 1 &&
      ::syscall(SYS_close_range, 3U, ~0U, CLOSE_RANGE_CLOEXEC) == 0) {
    ::execve(path, args, env);
  }
  ::_exit(errno == ENOENT ? 127 : 126);
}

}  // namespace

void run_program(const ChildProgram& program) {
  const UniqueFd input = input_with(program.input);
  const std::vector<char*> args = pointers(program.args);
  const std::vector<char*> env = pointers(program.env);
  const pid_t pid = ::fork();
  if (pid < 0) throw_errno("start process");
  if (pid == 0)
    become(program.path.c_str(), args.data(), env.data(), {input.get(), program.output});
  const UniqueFd ended(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0U)));
  pollfd watched{ended.get(), POLLIN, 0};
  const int limit = program.timeout ? static_cast<int>(*program.timeout) * 1000 : -1;
  int found = 0;
  do {
    found = ::poll(&watched, 1, limit);
  } while (found < 0 && errno == EINTR);
  if (found <= 0) (void)::kill(pid, SIGKILL);
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (found == 0) throw Error(Errc::unavailable, cat("took longer than ", *program.timeout, " s"));
  if (WIFSIGNALED(status)) {
    throw Error(Errc::command_failed, cat("ended by signal ", WTERMSIG(status)));
  }
  if (WEXITSTATUS(status) != 0) {
    throw Error(Errc::command_failed, cat("ended with status ", WEXITSTATUS(status)));
  }
}

}  // namespace lade::sandbox
