#include "libimage/sandbox/reaper.h"

#include <array>
#include <cerrno>
#include <csignal>
#include <optional>

#include <poll.h>
#include <sys/signalfd.h>
#include <sys/wait.h>

#include "libimage/base/error.h"
#include "libimage/base/unique_fd.h"
#include "libimage/io/program.h"

namespace lade::sandbox {
namespace {

/// Those that tell of this process's own faults.
constexpr std::array<int, 6> kOwn = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS};

sigset_t supervised_signals() {
  sigset_t set;
  sigfillset(&set);
  for (const int signal : kOwn) sigdelset(&set, signal);
  return set;
}

/// Reaps what has ended; the command's exit status if it is among them.
std::optional<int> reap_ended(pid_t command) {
  std::optional<int> ended;
  for (;;) {
    int status = 0;
    const pid_t pid = ::waitpid(-1, &status, WNOHANG);
    if (pid < 0 && errno == EINTR) continue;
    if (pid <= 0) return ended;
    if (pid == command) ended = exit_status_of(status);
  }
}

}  // namespace

void kill_everything() {
  (void)::kill(-1, SIGKILL);  // all but this process, and by the kernel's word not one is missed
  for (;;) {
    const pid_t pid = ::waitpid(-1, nullptr, 0);
    if (pid < 0 && errno == ECHILD) return;
  }
}

void block_supervised_signals() {
  const sigset_t set = supervised_signals();
  if (::sigprocmask(SIG_SETMASK, &set, nullptr) != 0) throw_errno("block signals");
}

UniqueFd open_supervised_signals() {
  const sigset_t set = supervised_signals();
  UniqueFd signals(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!signals) throw_errno("watch signals");
  return signals;
}

void pass_signals_on(int signals, const std::function<void(int signal)>& pass) {
  signalfd_siginfo info{};
  while (::read(signals, &info, sizeof info) == sizeof info) {
    // A broken pipe is this process's own.
    if (info.ssi_signo != SIGCHLD && info.ssi_signo != SIGPIPE)
      pass(static_cast<int>(info.ssi_signo));
  }
}

int supervise(pid_t command, int channel, const AlsoWatched& also) {
  const UniqueFd signals = open_supervised_signals();
  std::optional<int> ended;
  bool also_open = true;
  while (!ended) {
    std::array<pollfd, 3> watched = {{{signals.get(), POLLIN, 0},
                                      {channel, POLLRDHUP, 0},
                                      {also_open ? also.descriptor : -1, POLLIN, 0}}};
    if (::poll(watched.data(), watched.size(), -1) < 0 && errno != EINTR) throw_errno("wait");
    if (watched[1].revents != 0) {
      ended = 128 + SIGKILL;
      break;
    }
    if ((watched[2].revents & POLLIN) != 0) also.ready();
    also_open = also_open && (watched[2].revents & (POLLHUP | POLLERR)) == 0;
    pass_signals_on(signals.get(), [&](int signal) { (void)::kill(command, signal); });
    ended = reap_ended(command);
  }
  kill_everything();
  return *ended;
}

}  // namespace lade::sandbox
