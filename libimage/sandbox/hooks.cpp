#include "libimage/sandbox/hooks.h"

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

UniqueFd input_with(const std::string& state) {
  UniqueFd file(::memfd_create("state", MFD_CLOEXEC));
  if (!file) throw_errno("create memory file");
  FdSink(file.get(), "state").write(bytes_of(state));
  if (::lseek(file.get(), 0, SEEK_SET) != 0) throw_errno("rewind memory file");
  return file;
}

[[noreturn]] void become(const Hook& hook, char* const* args, char* const* env, int input) {
  for (int signal = 1; signal < NSIG; ++signal) (void)::signal(signal, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  (void)::sigprocmask(SIG_SETMASK, &none, nullptr);
  if (::dup2(input, 0) == 0 && ::dup2(2, 1) == 1 &&
      ::syscall(SYS_close_range, 3U, ~0U, CLOSE_RANGE_CLOEXEC) == 0) {
    ::execve(hook.path.c_str(), args, env);
  }
  ::_exit(errno == ENOENT ? 127 : 126);
}

void run_hook(const Hook& hook, const std::string& state) {
  const UniqueFd input = input_with(state);
  const std::vector<std::string> words =
      hook.args.empty() ? std::vector<std::string>{hook.path} : hook.args;
  const std::vector<char*> args = pointers(words);
  const std::vector<char*> env = pointers(hook.env);
  const pid_t pid = ::fork();
  if (pid < 0) throw_errno("start process");
  if (pid == 0) become(hook, args.data(), env.data(), input.get());
  const UniqueFd ended(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0U)));
  pollfd watched{ended.get(), POLLIN, 0};
  const int limit = hook.timeout ? static_cast<int>(*hook.timeout) * 1000 : -1;
  int found = 0;
  do {
    found = ::poll(&watched, 1, limit);
  } while (found < 0 && errno == EINTR);
  if (found <= 0) (void)::kill(pid, SIGKILL);
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (found == 0) throw Error(Errc::unavailable, cat("took longer than ", *hook.timeout, " s"));
  if (WIFSIGNALED(status)) {
    throw Error(Errc::command_failed, cat("ended by signal ", WTERMSIG(status)));
  }
  if (WEXITSTATUS(status) != 0) {
    throw Error(Errc::command_failed, cat("ended with status ", WEXITSTATUS(status)));
  }
}

}  // namespace

std::string hook_state(const std::string& head, std::string_view status, int pid) {
  return cat(head, ",\"status\":\"", status, "\",\"pid\":", pid, "}");
}

void run_hooks(const std::vector<Hook>& hooks, std::string_view kind, const std::string& state) {
  for (const Hook& hook : hooks) {
    with_context([&] { return cat("hook ", kind, " ", quoted(hook.path)); },
                 [&] { run_hook(hook, state); });
  }
}

}  // namespace lade::sandbox
