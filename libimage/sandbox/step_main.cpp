// The re-executed process: first of the step's pid namespace, it sets the step up, starts the
// command, supervises it and takes its own traces away.
#include <cerrno>
#include <csignal>
#include <cstring>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <fcntl.h>
#include <linux/close_range.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/io/path.h"
#include "libimage/io/stream.h"
#include "libimage/sandbox/exec_process.h"
#include "libimage/sandbox/mount_point.h"
#include "libimage/sandbox/mounts.h"
#include "libimage/sandbox/overlay_root.h"
#include "libimage/sandbox/reaper.h"
#include "libimage/sandbox/setup_channel.h"
#include "libimage/sandbox/step_runner.h"
#include "libimage/sandbox/step_spec.h"

namespace lade::sandbox {
namespace {

constexpr std::uint64_t kMaxSpecBytes = std::uint64_t{64} * 1024 * 1024;

void require(long result, std::string_view operation) {
  if (result < 0) throw_errno(operation);
}

/// Dies with the parent from the first moment, and shows the step neither its memory nor its
/// descriptors nor its program file (CVE-2016-9962, CVE-2019-5736).
void protect() {
  require(::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0), "die with the parent");
  require(::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0), "hide from the step");
  (void)::prctl(PR_SET_NAME, "lade-init", 0, 0, 0);
}

StepSpec read_spec(int number) {
  if (::fcntl(number, F_GET_SEALS) < 0) throw_errno("read step");
  FdSource source(UniqueFd(number), "the step");
  return decode_step_spec(read_all(source, kMaxSpecBytes, "the step"));
}

void reset_signals() {
  for (int signal = 1; signal < NSIG; ++signal) (void)::signal(signal, SIG_DFL);
  block_supervised_signals();
}

void close_all_but(const StepSpec& spec) {
  std::set<unsigned> keep = {static_cast<unsigned>(spec.channel)};
  for (const int fd : spec.mount_fds) {
    if (fd >= 0) keep.insert(static_cast<unsigned>(fd));
  }
  unsigned first = 3;
  for (const unsigned fd : keep) {
    require(::fcntl(static_cast<int>(fd), F_SETFD, FD_CLOEXEC), "keep descriptor");
    if (fd > first) require(::syscall(SYS_close_range, first, fd - 1, 0U), "close descriptors");
    first = fd + 1;
  }
  require(::syscall(SYS_close_range, first, ~0U, 0U), "close descriptors");
}

void bring_loopback_up() {
  const UniqueFd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  require(socket.get(), "bring the loopback interface up");
  ifreq request{};
  std::strcpy(request.ifr_name, "lo");
  request.ifr_flags = IFF_UP | IFF_RUNNING;
  require(::ioctl(socket.get(), SIOCSIFFLAGS, &request), "bring the loopback interface up");
}

/// Everything that the supervisor holds while the command runs.
struct Step {
  StepSpec spec;
  MountedRoot root = {};
  std::optional<MountPoints> points = std::nullopt;
  UniqueFd cwd = UniqueFd();
};

/// Mounts what the step sees of other trees, and files of its own; the result owns the descriptors
/// that the specification names from now on.
std::vector<UniqueFd> mount_pieces(StepSpec& spec) {
  std::vector<UniqueFd> mounted;
  for (std::size_t i = 0; i < spec.config.mounts.size(); ++i) {
    const Mount& mount = spec.config.mounts[i];
    if (mount.type != "overlay" && mount.type != "content") continue;
    mounted.push_back(mount.overlay ? open_overlay_source(mount) : open_content_source(mount));
    spec.mount_fds.at(i) = mounted.back().get();
  }
  return mounted;
}

void set_up(Step& step) {
  const RuntimeConfig& config = step.spec.config;
  require(::setsid(), "start session");
  reset_signals();
  (void)::umask(0);
  require(::mount(nullptr, "/", nullptr, MS_PRIVATE | MS_REC, nullptr), "make mounts private");
  step.root = mount_root(config.root);
  const std::vector<UniqueFd> pieces = mount_pieces(step.spec);
  enter_root(step.root.tree);
  if (config.namespaces.contains(Namespace::network)) bring_loopback_up();
  step.points.emplace(step.root.tree, step.root.upper ? step.root.upper.get() : -1);
  mount_all(config.mounts, step.spec.mount_fds, *step.points);
  restrict_paths(step.root.tree, config.masked_paths, config.readonly_paths);
  if (config.namespaces.contains(Namespace::uts)) {
    require(::sethostname(config.hostname.data(), config.hostname.size()), "set hostname");
  }
  step.cwd =
      with_context([] { return "working directory"; },
                   [&] {
                     return step.points->open(config.process.cwd, MountPoints::Kind::directory,
                                              MountPoints::Keep::for_good);
                   });
  if (config.root.readonly) set_access(step.root.tree, Access::read_only);
}

int run_command(const Step& step) {
  const StepSpec& spec = step.spec;
  const pid_t command = ::fork();
  require(command, "start process");
  if (command == 0) {
    exec_process({spec.config.process, spec.seccomp_filter, step.cwd.get(), spec.channel});
  }
  // From here a hang-up of the channel tells of the parent's end, and leaves time to tidy up.
  require(::prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0), "watch the parent");
  return supervise(command, spec.channel);
}

void tidy(Step& step) {
  kill_everything();
  if (!step.points) return;
  if (step.spec.config.root.readonly) set_access(step.root.tree, Access::read_write);
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

[[noreturn]] void step_main(int spec_number) {
  int channel = -1;
  try {
    protect();
    Step step{read_spec(spec_number)};
    channel = step.spec.channel;
    if (is_hung_up(channel)) ::_exit(1);  // the parent died before protect()
    close_all_but(step.spec);
    std::optional<int> status;
    try {
      set_up(step);
      status = run_command(step);
    } catch (const std::exception& e) {
      send_record(channel, failure_record(e));
    }
    tidy(step);
    if (status) {
      SetupRecord record{SetupRecord::Kind::ended};
      record.exit_status = *status;
      send_record(channel, record);
    }
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
