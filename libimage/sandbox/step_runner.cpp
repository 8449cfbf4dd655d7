#include "libimage/sandbox/step_runner.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <limits>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/io/path.h"
#include "libimage/sandbox/cgroup.h"
#include "libimage/sandbox/hosted_step.h"
#include "libimage/sandbox/launch.h"
#include "libimage/sandbox/overlay_root.h"
#include "libimage/sandbox/seccomp_filter.h"
#include "libimage/sandbox/setup_channel.h"
#include "libimage/sandbox/validate.h"

namespace lade::sandbox {
namespace {

constexpr int kGraceMilliseconds = 2000;  // for a stopped step to take its traces away
constexpr std::size_t kReadBytes = std::size_t{64} * 1024;  // what a pipe holds

struct OutputPipe {
  UniqueFd ours;
  UniqueFd theirs;
};

OutputPipe make_output_pipe() {
  PipeEnds pipe = make_pipe();
  return {above_streams(std::move(pipe.read)), above_streams(std::move(pipe.write))};
}

/// Making a filter takes milliseconds, and most steps of a build share one.
class FilterCache {
 public:
  std::string get(const std::optional<SeccompRules>& rules) {
    if (!rules) return {};
    const std::scoped_lock lock(mutex_);
    if (filter_.empty() || rules_ != *rules) {
      filter_ = compile_seccomp(*rules);
      rules_ = *rules;
    }
    return filter_;
  }

 private:
  std::mutex mutex_;
  SeccompRules rules_;  // guarded by mutex_
  std::string filter_;  // guarded by mutex_
};

/// The group of one step, where it asks for limits; gone with the object.
class StepCgroup {
 public:
  StepCgroup(const RuntimeConfig& step, std::vector<std::string>& warnings) {
    const Resources resources = step.resources.value_or(Resources{});
    if (resources == Resources{} && step.cgroups_path.empty()) return;
    sweep_groups();
    const std::set<std::string> wanted = controllers_for(resources);
    const auto tell = [&](const std::string& text) { warnings.push_back(text); };
    try {
      const std::string path = step.cgroups_path.empty()
                                   ? cat(kGroupPrefix, ::getpid(), "-", random_name(8))
                                   : step.cgroups_path;
      // A group that was named is wanted for itself.
      group_ = Cgroup::create(path, step.cgroups_path.empty() ? &wanted : nullptr);
      group_.apply(resources, Cgroup::Failure::is_told, tell);
    } catch (const Error& e) {
      tell(
          cat(resources == Resources{} ? "the step has no control group: " : "limits are not set: ",
              e.what()));
      group_ = Cgroup();
    }
  }
  StepCgroup(const StepCgroup&) = delete;
  StepCgroup& operator=(const StepCgroup&) = delete;
  ~StepCgroup() { (void)group_.remove(); }
  [[nodiscard]] const Cgroup* get() const { return group_.empty() ? nullptr : &group_; }

 private:
  static constexpr std::string_view kGroupPrefix = "lade-step-";

  /// Takes away what steps of processes that were killed left: once a process.
  static void sweep_groups() {
    static std::atomic<pid_t> swept_by = 0;  // a fork is another process
    if (swept_by.exchange(::getpid()) == ::getpid()) return;
    for (const Hierarchy& hierarchy : find_hierarchies()) {
      const std::string place = cat(hierarchy.mount, "/", hierarchy.own);
      const UniqueFd dir(::open(place.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
      if (!dir) continue;
      for (const std::string& name : list_names(open_dir(place))) {
        if (name.rfind(kGroupPrefix, 0) != 0) continue;
        const std::string_view rest = std::string_view(name).substr(kGroupPrefix.size());
        const auto pid = parse_decimal(rest.substr(0, rest.find('-')));
        if (pid && ::kill(static_cast<pid_t>(*pid), 0) != 0 && errno == ESRCH) {
          (void)::unlinkat(dir.get(), name.c_str(), AT_REMOVEDIR);  // in use still: it stays
        }
      }
    }
  }

  Cgroup group_;
};

/// A started step, as its parent sees it. Destroyed early, it ends the step first.
class RunningStep {
 public:
  RunningStep(Spawned spawned, UniqueFd channel, UniqueFd output)
      : spawned_(std::move(spawned)), channel_(std::move(channel)), output_(std::move(output)) {}
  RunningStep(const RunningStep&) = delete;
  RunningStep& operator=(const RunningStep&) = delete;
  ~RunningStep() {
    channel_.reset();  // the request to end
    output_.reset();
    reap();
  }

  /// Passes output on until the step has ended; throws Cancelled if stopped, Error if the time is
  /// up.
  void follow(const StepCall& call, const std::stop_token& stop);

  /// What the step told: its status, or throws the failure of its set-up.
  [[nodiscard]] int exit_status() const;
  [[nodiscard]] const std::vector<CopiedUp>& copied_up() const noexcept { return copied_up_; }

 private:
  void reap() noexcept;
  bool read_output(Sink& output, std::vector<std::byte>& buffer);
  bool read_channel();
  bool pass_signals_on(int from);

  Spawned spawned_;
  UniqueFd channel_;
  UniqueFd output_;
  std::optional<int> exit_status_;
  std::optional<Error> failure_;
  std::vector<CopiedUp> copied_up_;
};

/// Milliseconds for poll(2): -1 without end.
int left_until(const std::optional<std::chrono::steady_clock::time_point>& end) {
  if (!end) return -1;
  const auto left =
      std::chrono::ceil<std::chrono::milliseconds>(*end - std::chrono::steady_clock::now());
  return static_cast<int>(
      std::clamp<std::int64_t>(left.count(), 0, std::numeric_limits<int>::max()));
}

void RunningStep::follow(const StepCall& call, const std::stop_token& stop) {
  std::optional<std::chrono::steady_clock::time_point> end;
  if (call.timeout) end = std::chrono::steady_clock::now() + *call.timeout;
  const UniqueFd wake(::eventfd(0, EFD_CLOEXEC));
  if (!wake) throw_errno("create eventfd");
  const std::stop_callback on_stop(stop, [&] {
    const std::uint64_t one = 1;
    (void)!::write(wake.get(), &one, sizeof one);
  });
  std::vector<std::byte> buffer(kReadBytes);
  bool output_open = true;
  bool channel_open = true;
  bool signals_open = call.signals >= 0;
  while (output_open || channel_open) {
    std::array<pollfd, 4> watched = {{{wake.get(), POLLIN, 0},
                                      {output_open ? output_.get() : -1, POLLIN, 0},
                                      {channel_open ? channel_.get() : -1, POLLIN, 0},
                                      {signals_open ? call.signals : -1, POLLIN, 0}}};
    const int found = ::poll(watched.data(), watched.size(), left_until(end));
    if (found < 0 && errno == EINTR) continue;
    if (found < 0) throw_errno("wait for the step");
    if (found == 0 && left_until(end) == 0) {
      throw Error(Errc::unavailable, cat("run step: it took longer than ", call.timeout->count(),
                                         " ms and was ended"));
    }
    if (watched[0].revents != 0) throw Cancelled();
    if (watched[1].revents != 0) output_open = read_output(call.output, buffer);
    if (watched[2].revents != 0) channel_open = read_channel();
    if (watched[3].revents != 0) signals_open = pass_signals_on(call.signals);
  }
  reap();
}

bool RunningStep::read_output(Sink& output, std::vector<std::byte>& buffer) {
  const ssize_t size = ::read(output_.get(), buffer.data(), buffer.size());
  if (size < 0 && errno == EINTR) return true;
  if (size < 0) throw_errno("read the step's output");
  if (size == 0) return false;
  output.write({buffer.data(), static_cast<std::size_t>(size)});
  return true;
}

/// The first process holds them back until there is a command to have them.
bool RunningStep::pass_signals_on(int from) {
  std::array<std::uint8_t, 16> numbers{};
  const ssize_t size = ::read(from, numbers.data(), numbers.size());
  if (size < 0) return errno == EINTR || errno == EAGAIN;
  for (ssize_t i = 0; i < size; ++i) {
    (void)::syscall(SYS_pidfd_send_signal, spawned_.pidfd.get(),
                    static_cast<int>(numbers.at(static_cast<std::size_t>(i))), nullptr, 0U);
  }
  return size > 0;
}

bool RunningStep::read_channel() {
  std::optional<SetupRecord> record = receive_record(channel_.get());
  if (!record) return false;
  switch (record->kind) {
    case SetupRecord::Kind::failed:
      if (!failure_) failure_.emplace(failure_of(*record).in("set up step"));
      break;
    case SetupRecord::Kind::ended:
      exit_status_ = record->exit_status;
      break;
    case SetupRecord::Kind::copied_up:
      copied_up_.push_back(std::move(record->copied_up));
      break;
    case SetupRecord::Kind::mounted:
    case SetupRecord::Kind::ready:
    case SetupRecord::Kind::proceed:
      break;  // of containers
  }
  return true;
}

int RunningStep::exit_status() const {
  if (failure_) throw *failure_;
  if (!exit_status_) {
    throw Error(Errc::internal, "run step: its first process was ended from outside");
  }
  return *exit_status_;
}

void RunningStep::reap() noexcept {
  if (!spawned_.pidfd) return;
  pollfd ended{spawned_.pidfd.get(), POLLIN, 0};
  if (::poll(&ended, 1, kGraceMilliseconds) <= 0) {
    (void)::syscall(SYS_pidfd_send_signal, spawned_.pidfd.get(), SIGKILL, nullptr, 0U);
  }
  siginfo_t info{};
  while (::waitid(P_PIDFD, static_cast<id_t>(spawned_.pidfd.get()), &info, WEXITED | __WALL) < 0 &&
         errno == EINTR) {
  }
  spawned_.pidfd.reset();
}

class BuiltinRunner final : public StepRunner {
 public:
  StepStatus run(const RuntimeConfig& step, const StepCall& call,
                 const std::stop_token& stop) override;

 private:
  FilterCache filters_;
};

/// Launches the step as `plan` has it (its streams are added here) and follows it to its end.
int run_to_end(LaunchPlan plan, const StepCall& call, const std::stop_token& stop) {
  const RuntimeConfig& step = plan.config;
  if (step.process.terminal && call.console_socket < 0)
    throw Error(Errc::unsupported, "step: process.terminal: nobody takes its other end");
  if (stop.stop_requested()) throw Cancelled();
  if (step.root.overlay) prepare_overlay(*step.root.overlay);
  for (const Mount& mount : step.mounts) {
    if (mount.overlay) prepare_overlay(*mount.overlay);
  }
  OutputPipe pipe = make_output_pipe();
  plan.input = call.input;
  plan.output = call.output_fd >= 0 ? call.output_fd : pipe.theirs.get();
  plan.errors = call.errors_fd >= 0 ? call.errors_fd : pipe.theirs.get();
  plan.console_socket = call.console_socket;
  Launched launched = launch(plan);
  pipe.theirs.reset();
  RunningStep running(std::move(launched.spawned), std::move(launched.channel),
                      std::move(pipe.ours));
  running.follow(call, stop);
  if (step.root.overlay) tidy_overlay(*step.root.overlay, running.copied_up());
  return running.exit_status();
}

StepStatus BuiltinRunner::run(const RuntimeConfig& step, const StepCall& call,
                              const std::stop_token& stop) {
  validate_step(step);
  const std::string filter = filters_.get(step.seccomp);
  StepStatus status;
  const StepCgroup cgroup(step, status.warnings);
  status.exit_status = run_to_end(
      {.config = step, .mode = InitMode::step, .cgroup = cgroup.get(), .filter = &filter}, call,
      stop);
  return status;
}

}  // namespace

bool is_piece(const Mount& mount) {
  return is_bind(mount) || mount.overlay || mount.type == "content";
}

StepStatus run_hosted(const RuntimeConfig& step, const Hosting& hosting, const StepCall& call,
                      const std::stop_token& stop) {
  validate_hosted_step(step);
  return {.exit_status = run_to_end({.config = step, .mode = InitMode::hosted, .hosting = &hosting},
                                    call, stop)};
}

std::unique_ptr<StepRunner> builtin_runner() { return std::make_unique<BuiltinRunner>(); }

}  // namespace lade::sandbox
