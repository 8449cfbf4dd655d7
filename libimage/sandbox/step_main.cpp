// The re-executed process: first of the step's pid namespace, it sets the step up, starts the
// command, supervises it and takes its own traces away.
#include <cerrno>
#include <csignal>
#include <cstring>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <fcntl.h>
#include <linux/close_range.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/io/path.h"
#include "libimage/io/stream.h"
#include "libimage/sandbox/console.h"
#include "libimage/sandbox/exec_process.h"
#include "libimage/sandbox/home.h"
#include "libimage/sandbox/hooks.h"
#include "libimage/sandbox/hosted_main.h"
#include "libimage/sandbox/mount_point.h"
#include "libimage/sandbox/mounts.h"
#include "libimage/sandbox/overlay_root.h"
#include "libimage/sandbox/owner_emulation.h"
#include "libimage/sandbox/reaper.h"
#include "libimage/sandbox/set_up.h"
#include "libimage/sandbox/setup_channel.h"
#include "libimage/sandbox/step_runner.h"
#include "libimage/sandbox/step_spec.h"
#include "libimage/sandbox/user_namespace.h"

namespace lade::sandbox {
namespace {

constexpr std::uint64_t kMaxSpecBytes = std::uint64_t{64} * 1024 * 1024;

void require(long result, std::string_view operation) {
  if (result < 0) throw_errno(operation);
}

StepSpec read_spec(int number) {
  if (::fcntl(number, F_GET_SEALS) < 0) throw_errno("read step");
  FdSource source(UniqueFd(number), "the step");
  return decode_step_spec(read_all(source, kMaxSpecBytes, "the step"));
}

void close_all_but(const StepSpec& spec) {
  std::set<unsigned> keep = {static_cast<unsigned>(spec.channel)};
  const auto add = [&](int fd) {
    if (fd >= 0) keep.insert(static_cast<unsigned>(fd));
  };
  for (const int fd : spec.mount_fds) add(fd);
  for (const int fd : spec.join_fds) add(fd);
  for (const int fd : spec.cgroup_fds) add(fd);
  add(spec.start_fifo);
  add(spec.console_socket);
  const unsigned first_own = 3 + spec.preserve_fds;
  unsigned first = first_own;
  for (const unsigned fd : keep) {
    if (fd < first_own) continue;
    require(::fcntl(static_cast<int>(fd), F_SETFD, FD_CLOEXEC), "keep descriptor");
    if (fd > first) require(::syscall(SYS_close_range, first, fd - 1, 0U), "close descriptors");
    first = fd + 1;
  }
  require(::syscall(SYS_close_range, first, ~0U, 0U), "close descriptors");
}

ProcessPlan process_plan(const Step& step) {
  const StepSpec& spec = step.spec;
  ProcessPlan plan{.process = spec.config.process,
                   .seccomp_filter = spec.seccomp_filter,
                   .seccomp_flags = spec.seccomp_flags,
                   .cwd = step.cwd.get(),
                   .channel = spec.channel,
                   .streams = spec.mode == InitMode::step && !spec.has_input ? Streams::own_null
                                                                             : Streams::inherited,
                   .console = step.console.get(),
                   .keyring = spec.keyring,
                   .primary_group = spec.mode == InitMode::step ? PrimaryGroup::supplementary_too
                                                                : PrimaryGroup::as_given,
                   .cgroup_fds = spec.cgroup_fds,
                   .preserve_fds = spec.preserve_fds};
  plan.new_cgroup_namespace = spec.new_cgroup_namespace && !spec.cgroup_fds.empty();
  if (spec.config.personality) {
    plan.personality = spec.config.personality->domain == "LINUX32" ? PER_LINUX32 : PER_LINUX;
  }
  return plan;
}

/// How the command's listener for changes of owner comes to the process that answers.
class ListenerSockets {
 public:
  ListenerSockets() {
    int ends[2];
    require(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), "create socket pair");
    ours_.reset(ends[0]);
    theirs_.reset(ends[1]);
  }
  void send(const UniqueFd& listener) {
    if (listener) send_console(theirs_.get(), listener.get());
    theirs_.reset();
  }
  /// Empty: the kernel has none, and changes of owner fail as it says.
  UniqueFd receive() {
    theirs_.reset();
    try {
      return receive_console(ours_.get());
    } catch (const Error&) {
      return {};
    }
  }

 private:
  UniqueFd ours_;
  UniqueFd theirs_;
};

int run_command(const Step& step) {
  const StepSpec& spec = step.spec;
  std::optional<ListenerSockets> sockets;
  if (has_one_id() && spec.config.process.capabilities.bounding.contains("CAP_CHOWN"))
    sockets.emplace();
  const pid_t command = ::fork();
  require(command, "start process");
  if (command == 0) {
    if (sockets) sockets->send(ask_for_owner_changes());
    exec_process(process_plan(step));
  }
  const UniqueFd listener = sockets ? sockets->receive() : UniqueFd();
  // From here a hang-up of the channel tells of the parent's end, and leaves time to tidy up.
  require(::prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0), "watch the parent");
  return supervise(command, spec.channel, {.descriptor = listener.get(), .ready = [&] {
                                             answer_owner_change(listener.get());
                                           }});
}

/// Takes away what the set-up made in the root. A hosted step is in the host's pid namespace, and
/// its container is deleted already.
void tidy(Step& step) {
  if (step.spec.mode == InitMode::step) kill_everything();
  if (!step.points) return;
  if (step.spec.config.root.readonly && step.spec.mode == InitMode::step)
    set_access(step.root.tree, Access::read_write);
  step.points->unmake();
  for (const CopiedUp& directory : step.points->copied_up()) {
    SetupRecord record{SetupRecord::Kind::copied_up};
    record.copied_up = directory;
    send_record(step.spec.channel, record);
  }
}

SetupRecord failure_record(const std::exception& failure) {
  SetupRecord record{SetupRecord::Kind::failed};
  record.message = failure.what();
  if (const auto* error = dynamic_cast<const Error*>(&failure)) {
    record.code = error->code();
    if (const auto* detail = std::get_if<ErrnoDetail>(&error->detail())) {
      record.error_number = detail->value;
    }
  }
  return record;
}

void run_step(Step& step) {
  const int channel = step.spec.channel;
  std::optional<int> status;
  try {
    if (step.spec.mode == InitMode::hosted) {
      set_up_hosted(step);
      status = run_hosted_container(step);
    } else {
      set_up(step);
      status = run_command(step);
    }
  } catch (const std::exception& e) {
    send_record(channel, failure_record(e));
  }
  tidy(step);
  if (status) {
    SetupRecord record{SetupRecord::Kind::ended};
    record.exit_status = *status;
    send_record(channel, record);
  }
}

/// Waits for the byte of `start`; whoever deletes the container instead kills this process.
void await_start(int fifo) {
  char byte = 0;
  ssize_t size = 0;
  do {
    size = ::read(fifo, &byte, 1);
  } while (size < 0 && errno == EINTR);
  if (size != 1) throw_errno("wait for the start");
}

/// Becomes the command of a container that is set up; `last` is done between telling the parent so
/// and that.
[[noreturn]] void become_command(Step& step, const std::function<void()>& last) {
  add_home(step.spec.config.process);
  check_command(step.spec.config.process);
  ProcessPlan plan = process_plan(step);
  plan.ready = [&] {
    require(::prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0), "outlive the parent");
    send_record(plan.channel, {.kind = SetupRecord::Kind::ready});
    last();
  };
  exec_process(plan);
}

[[noreturn]] void run_container(Step& step) {
  set_up(step);
  become_command(step, [&] {
    await_start(step.spec.start_fifo);
    run_hooks(step.spec.config.hooks.start_container, "startContainer",
              hook_state(step.spec.state_head, "created", step.outer_pid));
  });
}

[[noreturn]] void run_joined(Step& step) {
  join_container(step);
  become_command(step, [] {});
}

[[noreturn]] void step_main(int spec_number) {
  int channel = -1;
  try {
    protect();
    Step step{read_spec(spec_number)};
    channel = step.spec.channel;
    if (is_hung_up(channel)) ::_exit(1);  // the parent died before protect()
    close_all_but(step.spec);
    if (step.spec.waits) step.outer_pid = await_proceed(channel);
    if (step.spec.mode == InitMode::container) run_container(step);
    if (step.spec.mode == InitMode::joined) run_joined(step);
    run_step(step);
  } catch (const std::exception& e) {
    send_record(channel, failure_record(e));
    ::_exit(1);
  }
  ::_exit(0);
}

}  // namespace

void run_step_if_asked(int argc, char** argv) {
  if (argc != 2 || std::string_view(argv[0]) != kStepProgramName) return;
  const auto number = parse_decimal(argv[1]);
  if (!number || *number < 3 || *number > 1'000'000'000) ::_exit(1);
  step_main(static_cast<int>(*number));
}

}  // namespace lade::sandbox
