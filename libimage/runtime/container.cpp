#include "libimage/runtime/container.h"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>

#include <poll.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/sandbox/hooks.h"

namespace lade::runtime {
namespace {

using sandbox::Cgroup;

constexpr int kEndMilliseconds = 10'000;  // for a killed process to be gone

/// A descriptor of the container's first process; none if it is gone.
UniqueFd open_process(const Record& record) {
  UniqueFd process(static_cast<int>(::syscall(SYS_pidfd_open, record.pid, 0U)));
  // Whoever has the number now is the one only if it began then.
  if (process && start_of(record.pid) != std::optional(record.pid_start)) process.reset();
  return process;
}

void send_signal(const UniqueFd& process, int signal) {
  if (::syscall(SYS_pidfd_send_signal, process.get(), signal, nullptr, 0U) != 0) {
    throw_errno("send signal");
  }
}

void end(const Record& record, const Cgroup& cgroup) {
  const UniqueFd process = open_process(record);
  if (process) {
    if (!cgroup.empty() && cgroup.state() == Cgroup::State::frozen) {
      (void)::syscall(SYS_pidfd_send_signal, process.get(), SIGKILL, nullptr, 0U);
      cgroup.set_state(Cgroup::State::running);
    }
    (void)::syscall(SYS_pidfd_send_signal, process.get(), SIGKILL, nullptr, 0U);
  }
  if (!cgroup.empty()) cgroup.signal_all(SIGKILL);
  if (!process) return;
  pollfd watched{process.get(), POLLIN, 0};
  if (::poll(&watched, 1, kEndMilliseconds) <= 0) {
    throw Error(Errc::unavailable, "end container: its first process does not end");
  }
}

[[noreturn]] void refuse(std::string_view what, const std::string& id, Status status) {
  throw Error(Errc::invalid_argument, cat(what, " container ", quoted(id),
                                          ": container not running: it is ", status_name(status)));
}

}  // namespace

std::string Runtime::state(const std::string& id) {
  const ContainerState state = root_.open(id);
  const Record record = state.record();
  return state_document(record, state.status(record));
}

void Runtime::kill(const std::string& id, int signal, Reach reach) {
  const ContainerState state = root_.open(id);
  const Record record = state.record();
  const Status status = state.status(record);
  const Cgroup cgroup = Cgroup::from_paths(record.cgroups);
  if (reach == Reach::all_processes) return cgroup.signal_all(signal);
  const UniqueFd process = open_process(record);
  if (status == Status::stopped || !process) refuse("kill", id, Status::stopped);
  send_signal(process, signal);
  // What is frozen takes no signal before it runs again.
  if (signal == SIGKILL && status == Status::paused) cgroup.set_state(Cgroup::State::running);
}

void Runtime::remove(const std::string& id, Force force) {
  std::optional<ContainerState> state;
  try {
    state.emplace(root_.open(id));
  } catch (const Error& e) {
    if (e.code() == Errc::not_found && force == Force::kill_running) return;
    throw;
  }
  if (root_.sweep(id)) return;
  const Record record = state->record();
  const Status status = state->status(record);
  if (force == Force::refuse_running && status != Status::stopped && status != Status::created) {
    throw Error(Errc::invalid_argument, cat("delete container ", quoted(id), ": it is ",
                                            status_name(status), ", not stopped"));
  }
  const Cgroup cgroup = Cgroup::from_paths(record.cgroups);
  end(record, cgroup);
  if (!cgroup.remove()) warn_(cat("control groups of ", quoted(id), " cannot be removed"));
  const sandbox::Hooks hooks = state->config().hooks;
  for (const sandbox::Hook& hook : hooks.poststop) {
    try {
      sandbox::run_hooks({hook}, "poststop", sandbox::hook_state(state_head(record), "stopped", 0));
    } catch (const Error& e) {
      warn_(e.what());
    }
  }
  root_.remove(id);
}

void Runtime::pause(const std::string& id) {
  const ContainerState state = root_.open(id);
  const Record record = state.record();
  const Status status = state.status(record);
  if (status != Status::running && status != Status::created) refuse("pause", id, status);
  Cgroup::from_paths(record.cgroups).set_state(Cgroup::State::frozen);
}

void Runtime::resume(const std::string& id) {
  const ContainerState state = root_.open(id);
  const Record record = state.record();
  const Status status = state.status(record);
  if (status != Status::paused) {
    throw Error(Errc::invalid_argument, cat("resume container ", quoted(id), ": it is ",
                                            status_name(status), ", not paused"));
  }
  Cgroup::from_paths(record.cgroups).set_state(Cgroup::State::running);
}

void Runtime::update(const std::string& id, const sandbox::Resources& resources) {
  const ContainerState state = root_.open(id);
  Cgroup::from_paths(state.record().cgroups).apply(resources, Cgroup::Failure::is_error);
}

std::vector<Runtime::Listed> Runtime::list() {
  std::vector<Listed> found;
  for (const std::string& id : root_.ids()) {
    try {
      if (root_.sweep(id)) continue;
      const ContainerState state = root_.open(id);
      const Record record = state.record();
      found.push_back({record, state.status(record)});
    } catch (const Error& e) {
      if (e.code() != Errc::not_found) warn_(cat(quoted(id), ": ", e.what()));
    }
  }
  return found;
}

std::vector<pid_t> Runtime::processes(const std::string& id) {
  const ContainerState state = root_.open(id);
  const Record record = state.record();
  std::vector<pid_t> found = Cgroup::from_paths(record.cgroups).processes();
  if (found.empty() && state.status(record) != Status::stopped) found.push_back(record.pid);
  return found;
}

sandbox::RuntimeConfig Runtime::config(const std::string& id) { return root_.open(id).config(); }

int wait_for(const Child& child) {
  sigset_t all;
  sigfillset(&all);
  for (const int fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTTIN, SIGTTOU})
    sigdelset(&all, fault);
  sigset_t before;
  if (::pthread_sigmask(SIG_BLOCK, &all, &before) != 0) throw_errno("block signals");
  const UniqueFd signals(::signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!signals) throw_errno("watch signals");
  siginfo_t info{};
  for (;;) {
    std::array<pollfd, 2> watched = {{{child.pidfd.get(), POLLIN, 0}, {signals.get(), POLLIN, 0}}};
    if (::poll(watched.data(), watched.size(), -1) < 0 && errno != EINTR) throw_errno("wait");
    signalfd_siginfo signal{};
    while (::read(signals.get(), &signal, sizeof signal) == sizeof signal) {
      if (signal.ssi_signo == SIGCHLD || signal.ssi_signo == SIGPIPE) continue;
      (void)::syscall(SYS_pidfd_send_signal, child.pidfd.get(), static_cast<int>(signal.ssi_signo),
                      nullptr, 0U);
    }
    if (watched[0].revents == 0) continue;
    if (::waitid(P_PIDFD, static_cast<id_t>(child.pidfd.get()), &info, WEXITED) == 0) break;
    if (errno != EINTR) throw_errno("wait");
  }
  (void)::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return info.si_code == CLD_EXITED ? info.si_status : 128 + info.si_status;
}

int signal_number(const std::string& word) {
  if (const auto number = parse_decimal(word)) {
    if (*number >= 1 && *number <= static_cast<std::uint64_t>(SIGRTMAX)) {
      return static_cast<int>(*number);
    }
  }
  std::string name = word;
  for (char& letter : name) {
    if (letter >= 'a' && letter <= 'z') letter = static_cast<char>(letter - 'a' + 'A');
  }
  if (name.rfind("SIG", 0) == 0) name.erase(0, 3);
  for (int signal = 1; signal < 32; ++signal) {
    const char* known = ::sigabbrev_np(signal);
    if (known != nullptr && name == known) return signal;
  }
  if (name.rfind("RTMIN+", 0) == 0) {
    const auto offset = parse_decimal(std::string_view(name).substr(6));
    if (offset && SIGRTMIN + static_cast<int>(*offset) <= SIGRTMAX) {
      return SIGRTMIN + static_cast<int>(*offset);
    }
  }
  throw Error(Errc::invalid_argument, cat("signal ", quoted(word), " is unknown"));
}

}  // namespace lade::runtime
