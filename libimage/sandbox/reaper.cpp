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

constexpr std::array<int, 7> kForwarded = {SIGTERM, SIGINT,  SIGHUP,  SIGQUIT,
                                           SIGUSR1, SIGUSR2, SIGWINCH};

sigset_t supervised_signals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGCHLD);
  for (const int signal : kForwarded) sigaddset(&set, signal);
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

int supervise(pid_t command, int channel) {
  const sigset_t set = supervised_signals();
  const UniqueFd signals(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!signals) throw_errno("watch signals");
  std::optional<int> ended;
  while (!ended) {
    std::array<pollfd, 2> watched = {{{signals.get(), POLLIN, 0}, {channel, POLLRDHUP, 0}}};
    if (::poll(watched.data(), watched.size(), -1) < 0 && errno != EINTR) throw_errno("wait");
    if (watched[1].revents != 0) {
      ended = 128 + SIGKILL;
      break;
    }
    signalfd_siginfo info{};
    while (::read(signals.get(), &info, sizeof info) == sizeof info) {
      if (info.ssi_signo != SIGCHLD) (void)::kill(command, static_cast<int>(info.ssi_signo));
    }
    ended = reap_ended(command);
  }
  kill_everything();
  return *ended;
}

}  // namespace lade::sandbox
