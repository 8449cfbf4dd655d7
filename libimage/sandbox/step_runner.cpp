#include "libimage/sandbox/step_runner.h"

#include <array>
#include <cerrno>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/io/path.h"
#include "libimage/sandbox/mounts.h"
#include "libimage/sandbox/overlay_root.h"
#include "libimage/sandbox/seccomp_filter.h"
#include "libimage/sandbox/setup_channel.h"
#include "libimage/sandbox/spawn.h"
#include "libimage/sandbox/step_spec.h"
#include "libimage/sandbox/validate.h"

namespace lade::sandbox {
namespace {

constexpr std::uint64_t kMaxProfileBytes = std::uint64_t{4} * 1024 * 1024;
constexpr int kGraceMilliseconds = 2000;  // for a stopped step to take its traces away
constexpr std::size_t kReadBytes = std::size_t{64} * 1024;  // what a pipe holds

/// Descriptors 0 to 2 are the step's streams, so nothing else may have such a number.
UniqueFd above_streams(UniqueFd fd) {
  if (!fd || fd.get() > 2) return fd;
  UniqueFd moved(::fcntl(fd.get(), F_DUPFD_CLOEXEC, 3));
  if (!moved) throw_errno("duplicate descriptor");
  return moved;
}

struct Ends {
  UniqueFd ours;
  UniqueFd theirs;
};

Ends make_output_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) throw_errno("create pipe");
  Ends pipe{UniqueFd(ends[0]), UniqueFd(ends[1])};
  return {above_streams(std::move(pipe.ours)), above_streams(std::move(pipe.theirs))};
}

Ends make_channel() {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
    throw_errno("create socket pair");
  }
  Ends pair{UniqueFd(ends[0]), UniqueFd(ends[1])};
  return {above_streams(std::move(pair.ours)), above_streams(std::move(pair.theirs))};
}

UniqueFd to_memory_file(const std::string& bytes) {
  UniqueFd file = above_streams(UniqueFd(::memfd_create("step", MFD_CLOEXEC | MFD_ALLOW_SEALING)));
  if (!file) throw_errno("create memory file");
  FdSink(file.get(), "memory file").write(bytes_of(bytes));
  if (::fcntl(file.get(), F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) !=
          0 ||
      ::lseek(file.get(), 0, SEEK_SET) != 0) {
    throw_errno("seal memory file");
  }
  return file;
}

unsigned long clone_flags(const std::set<Namespace>& namespaces) {
  constexpr std::array<std::pair<Namespace, unsigned long>, 6> kFlags = {
      {{Namespace::pid, CLONE_NEWPID},
       {Namespace::mount, CLONE_NEWNS},
       {Namespace::ipc, CLONE_NEWIPC},
       {Namespace::uts, CLONE_NEWUTS},
       {Namespace::network, CLONE_NEWNET},
       {Namespace::cgroup, CLONE_NEWCGROUP}}};
  unsigned long flags = 0;
  for (const auto& [wanted, flag] : kFlags) {
    if (namespaces.contains(wanted)) flags |= flag;
  }
  return flags;
}

/// Making a filter takes milliseconds, and most steps of a build share one.
class FilterCache {
 public:
  std::string get(const RuntimeConfig& config) {
    if (!config.seccomp.enabled) return {};
    const std::string& file = config.seccomp.json_file;
    std::string profile = file.empty() ? "" : read_file(file, kMaxProfileBytes);
    const auto& capabilities = config.process.capabilities;
    const std::scoped_lock lock(mutex_);
    if (filter_.empty() || profile != profile_ || capabilities != capabilities_) {
      const SeccompRules rules =
          file.empty() ? default_seccomp_rules(capabilities)
                       : with_context([&] { return quoted(file); },
                                      [&] { return parse_seccomp_profile(profile, capabilities); });
      filter_ = compile_seccomp(rules);
      profile_ = std::move(profile);
      capabilities_ = capabilities;
    }
    return filter_;
  }

 private:
  std::mutex mutex_;
  std::string profile_;        // guarded by mutex_; "": the built-in one
  Capabilities capabilities_;  // guarded by mutex_
  std::string filter_;         // guarded by mutex_
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

  /// Passes output on until the step has ended; throws Cancelled if stopped.
  void follow(Sink& output, const std::stop_token& stop);

  /// What the step told: its status, or throws the failure of its set-up.
  [[nodiscard]] int exit_status() const;
  [[nodiscard]] const std::vector<CopiedUp>& copied_up() const noexcept { return copied_up_; }

 private:
  void reap() noexcept;
  bool read_output(Sink& output, std::vector<std::byte>& buffer);
  bool read_channel();

  Spawned spawned_;
  UniqueFd channel_;
  UniqueFd output_;
  std::optional<int> exit_status_;
  std::optional<Error> failure_;
  std::vector<CopiedUp> copied_up_;
};

void RunningStep::follow(Sink& output, const std::stop_token& stop) {
  const UniqueFd wake(::eventfd(0, EFD_CLOEXEC));
  if (!wake) throw_errno("create eventfd");
  const std::stop_callback on_stop(stop, [&] {
    const std::uint64_t one = 1;
    (void)!::write(wake.get(), &one, sizeof one);
  });
  std::vector<std::byte> buffer(kReadBytes);
  bool output_open = true;
  bool channel_open = true;
  while (output_open || channel_open) {
    std::array<pollfd, 3> watched = {{{wake.get(), POLLIN, 0},
                                      {output_open ? output_.get() : -1, POLLIN, 0},
                                      {channel_open ? channel_.get() : -1, POLLIN, 0}}};
    if (::poll(watched.data(), watched.size(), -1) < 0) {
      if (errno == EINTR) continue;
      throw_errno("wait for the step");
    }
    if (watched[0].revents != 0) throw Cancelled();
    if (watched[1].revents != 0) output_open = read_output(output, buffer);
    if (watched[2].revents != 0) channel_open = read_channel();
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

bool RunningStep::read_channel() {
  std::optional<SetupRecord> record = receive_record(channel_.get());
  if (!record) return false;
  switch (record->kind) {
    case SetupRecord::Kind::failed: {
      const ErrorDetail detail = record->error_number != 0
                                     ? ErrorDetail(ErrnoDetail{record->error_number})
                                     : ErrorDetail();
      if (!failure_) failure_.emplace(record->code, cat("set up step: ", record->message), detail);
      break;
    }
    case SetupRecord::Kind::ended:
      exit_status_ = record->exit_status;
      break;
    case SetupRecord::Kind::copied_up:
      copied_up_.push_back(std::move(record->copied_up));
      break;
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
  StepStatus run(const RuntimeConfig& step, Sink& output, const std::stop_token& stop) override;

 private:
  int executable();

  FilterCache filters_;
  std::mutex mutex_;
  UniqueFd executable_;  // guarded by mutex_ until set
};

int BuiltinRunner::executable() {
  // Not std::call_once: glibc's unwinder and a static one do not meet in it.
  const std::scoped_lock lock(mutex_);
  if (!executable_) executable_ = above_streams(open_own_executable());
  return executable_.get();
}

StepStatus BuiltinRunner::run(const RuntimeConfig& step, Sink& output,
                              const std::stop_token& stop) {
  validate(step);
  if (stop.stop_requested()) throw Cancelled();
  StepSpec spec{step, filters_.get(step)};
  std::vector<UniqueFd> sources;
  for (const Mount& mount : step.mounts) {
    sources.push_back(mount.type == "bind" ? above_streams(open_bind_source(mount)) : UniqueFd());
    spec.mount_fds.push_back(sources.back() ? sources.back().get() : -1);
  }
  if (step.root.overlay) prepare_overlay(*step.root.overlay);
  for (const Mount& mount : step.mounts) {
    if (mount.overlay) prepare_overlay(*mount.overlay);
  }
  Ends channel = make_channel();
  Ends pipe = make_output_pipe();
  spec.channel = channel.theirs.get();
  const UniqueFd spec_file = to_memory_file(encode(spec));
  const UniqueFd null = above_streams(UniqueFd(::open("/dev/null", O_RDONLY | O_CLOEXEC)));
  if (!null) throw_errno("open '/dev/null'");

  SpawnPlan plan{executable(), {std::string(kStepProgramName), cat(spec_file.get())}};
  plan.input = null.get();
  plan.output = pipe.theirs.get();
  plan.keep = {spec_file.get(), channel.theirs.get()};
  for (const int fd : spec.mount_fds) {
    if (fd >= 0) plan.keep.push_back(fd);
  }
  plan.namespaces = clone_flags(step.namespaces);
  Spawned spawned = with_context([] { return "set up step"; }, [&] { return spawn(plan); });
  pipe.theirs.reset();
  channel.theirs.reset();

  RunningStep running(std::move(spawned), std::move(channel.ours), std::move(pipe.ours));
  running.follow(output, stop);
  if (step.root.overlay) tidy_overlay(*step.root.overlay, running.copied_up());
  return {running.exit_status()};
}

}  // namespace

std::unique_ptr<StepRunner> builtin_runner() { return std::make_unique<BuiltinRunner>(); }

}  // namespace lade::sandbox
