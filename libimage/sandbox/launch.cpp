#include "libimage/sandbox/launch.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <mutex>
#include <utility>

#include <fcntl.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/io/path.h"
#include "libimage/io/stream.h"
#include "libimage/sandbox/id_map.h"
#include "libimage/sandbox/mount_source.h"
#include "libimage/sandbox/seccomp_filter.h"
#include "libimage/sandbox/setup_channel.h"

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080
#endif

namespace lade::sandbox {
namespace {

struct Kind {
  Namespace kind;
  unsigned long flag;
};
constexpr std::array<Kind, 7> kFlags = {{{Namespace::user, CLONE_NEWUSER},
                                         {Namespace::pid, CLONE_NEWPID},
                                         {Namespace::mount, CLONE_NEWNS},
                                         {Namespace::ipc, CLONE_NEWIPC},
                                         {Namespace::uts, CLONE_NEWUTS},
                                         {Namespace::network, CLONE_NEWNET},
                                         {Namespace::cgroup, CLONE_NEWCGROUP}}};

/// A cgroup namespace begins at the group that its maker is in, so that it is made later by one
/// that is to be in another.
unsigned long clone_flags(const RuntimeConfig& config, const Cgroup* cgroup) {
  unsigned long flags = 0;
  for (const auto& [kind, flag] : kFlags) {
    const auto found = config.namespaces.find(kind);
    if (found == config.namespaces.end() || !found->second.empty()) continue;
    if (kind == Namespace::cgroup && cgroup != nullptr) continue;
    flags |= flag;
  }
  return flags;
}

unsigned long namespaces_for(const LaunchPlan& plan) {
  if (plan.mode == InitMode::joined) return 0;
  if (plan.mode == InitMode::hosted) return CLONE_NEWNS;  // the others are the runtime's to make
  return clone_flags(plan.config, plan.cgroup);
}

std::pair<UniqueFd, UniqueFd> make_channel() {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
    throw_errno("create socket pair");
  }
  UniqueFd ours(ends[0]);
  UniqueFd theirs(ends[1]);
  return {above_streams(std::move(ours)), above_streams(std::move(theirs))};
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

int own_executable() {
  static std::mutex mutex;
  static UniqueFd executable;  // guarded by mutex until set
  // Not std::call_once: glibc's unwinder and a static one do not meet in it.
  const std::scoped_lock lock(mutex);
  if (!executable) executable = above_streams(open_own_executable());
  return executable.get();
}

UniqueFd open_namespace(Namespace kind, const std::string& path) {
  UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) throw_errno(cat("open namespace ", quoted(path)));
  unsigned long flag = CLONE_NEWTIME;
  for (const auto& [known, bit] : kFlags) {
    if (known == kind) flag = bit;
  }
  constexpr unsigned long kGetType = 0xb703;  // NS_GET_NSTYPE
  if (::ioctl(file.get(), kGetType) != static_cast<int>(flag)) {
    throw Error(Errc::invalid_argument, cat("namespace ", quoted(path), " is of another type"));
  }
  return above_streams(std::move(file));
}

/// A step's limits are the command's, unless the step is to see its groups mounted.
bool command_alone_enters(const LaunchPlan& plan) {
  if (plan.mode != InitMode::step || plan.cgroup == nullptr) return false;
  return std::none_of(plan.config.mounts.begin(), plan.config.mounts.end(),
                      [](const Mount& mount) { return mount.type.rfind("cgroup", 0) == 0; });
}

/// What the process inherits, and the specification that names it.
class Inheritance {
 public:
  explicit Inheritance(const LaunchPlan& plan) {
    spec_.config = plan.config;
    spec_.config.seccomp.reset();  // compiled below
    spec_.mode = plan.mode;
    spec_.has_input = plan.input >= 0;
    spec_.start_fifo = plan.start_fifo;
    spec_.console_socket = plan.console_socket;
    spec_.preserve_fds = plan.preserve_fds;
    spec_.keyring = plan.keyring;
    spec_.state_head = plan.state_head;
    if (plan.hosting != nullptr) spec_.hosting = *plan.hosting;
    if (plan.config.seccomp && plan.mode != InitMode::hosted) {
      spec_.seccomp_filter =
          plan.filter != nullptr ? *plan.filter : compile_seccomp(*plan.config.seccomp);
      spec_.seccomp_flags = seccomp_flags(plan.config.seccomp->flags);
    }
    const bool maps = plan.mode != InitMode::hosted &&
                      plan.config.namespaces.contains(Namespace::user) &&
                      plan.config.namespaces.at(Namespace::user).empty();
    if (command_alone_enters(plan)) {
      for (UniqueFd& entrance : plan.cgroup->entrances()) {
        owned_.push_back(above_streams(std::move(entrance)));
        keep(owned_.back());
        spec_.cgroup_fds.push_back(owned_.back().get());
      }
    }
    const auto group = plan.config.namespaces.find(Namespace::cgroup);
    spec_.new_cgroup_namespace =
        plan.cgroup != nullptr && group != plan.config.namespaces.end() && group->second.empty();
    const bool enters = plan.cgroup != nullptr && spec_.cgroup_fds.empty();
    spec_.waits =
        plan.mode == InitMode::container || plan.mode == InitMode::joined || maps || enters;
    if (plan.mode != InitMode::joined) open_sources(plan.config);
    if (plan.mode != InitMode::hosted) open_namespaces(plan);
    for (const int fd : {plan.start_fifo, plan.console_socket}) {
      if (fd >= 0) keep_.push_back(fd);
    }
    for (std::uint32_t i = 0; i < plan.preserve_fds; ++i) keep_.push_back(static_cast<int>(3 + i));
  }

  StepSpec& spec() { return spec_; }
  void keep(const UniqueFd& fd) { keep_.push_back(fd.get()); }
  [[nodiscard]] const std::vector<int>& kept() const { return keep_; }
  [[nodiscard]] int pid_namespace() const { return pid_namespace_; }

 private:
  void open_sources(const RuntimeConfig& config) {
    for (const Mount& mount : config.mounts) {
      UniqueFd source = is_bind(mount) ? above_streams(open_bind_source(mount)) : UniqueFd();
      spec_.mount_fds.push_back(source ? source.get() : -1);
      if (!source) continue;
      keep(source);
      owned_.push_back(std::move(source));
    }
  }

  void open_namespaces(const LaunchPlan& plan) {
    for (const auto& [kind, path] : plan.config.namespaces) {
      if (plan.mode == InitMode::joined || path.empty()) continue;
      owned_.push_back(open_namespace(kind, path));
      join(kind, owned_.back().get());
    }
    for (const auto& [kind, fd] : plan.joined) join(kind, fd);
  }

  void join(Namespace kind, int fd) {
    if (kind == Namespace::pid) {
      pid_namespace_ = fd;
      return;
    }
    spec_.join_fds.push_back(fd);
    spec_.join_kinds.push_back(kind);
    keep_.push_back(fd);
  }

  StepSpec spec_;
  std::vector<UniqueFd> owned_;
  std::vector<int> keep_;
  int pid_namespace_ = -1;
};

void set_oom_score(pid_t process, std::int32_t score) {
  const std::string path = cat("/proc/", process, "/oom_score_adj");
  const UniqueFd file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  const std::string text = cat(score);
  if (!file || ::write(file.get(), text.data(), text.size()) < 0) {
    throw_errno(cat("set process.oomScoreAdj to ", score));
  }
}

void check_labels(const Process& process) {
  if (!process.apparmor_profile.empty() && ::access("/sys/kernel/security/apparmor", F_OK) != 0) {
    throw Error(Errc::unsupported,
                "process.apparmorProfile: AppArmor is not enabled in this kernel");
  }
  if (!process.selinux_label.empty() && ::access("/sys/fs/selinux/enforce", F_OK) != 0) {
    throw Error(Errc::unsupported, "process.selinuxLabel: SELinux is not enabled in this kernel");
  }
}

/// The process waits meanwhile, so that nothing of it is outside its limits and ids.
void prepare_waiting(const LaunchPlan& plan, const Launched& launched) {
  const pid_t pid = launched.spawned.pid;
  if (plan.cgroup != nullptr && !command_alone_enters(plan)) plan.cgroup->add(pid);
  const auto user = plan.config.namespaces.find(Namespace::user);
  const bool maps = plan.mode != InitMode::joined && plan.mode != InitMode::hosted &&
                    user != plan.config.namespaces.end() && user->second.empty();
  if (maps) write_id_maps(pid, plan.config.uid_mappings, plan.config.gid_mappings);
}

}  // namespace

UniqueFd above_streams(UniqueFd fd) {
  if (!fd || fd.get() > 2) return fd;
  UniqueFd moved(::fcntl(fd.get(), F_DUPFD_CLOEXEC, 3));
  if (!moved) throw_errno("duplicate descriptor");
  return moved;
}

Launched launch(const LaunchPlan& plan) {
  check_labels(plan.config.process);
  Inheritance inheritance(plan);
  auto [ours, theirs] = make_channel();
  StepSpec& spec = inheritance.spec();
  spec.channel = theirs.get();
  const UniqueFd spec_file = to_memory_file(encode(spec));
  inheritance.keep(spec_file);
  inheritance.keep(theirs);
  UniqueFd null;
  if (plan.input < 0) {
    null = above_streams(UniqueFd(::open("/dev/null", O_RDONLY | O_CLOEXEC)));
    if (!null) throw_errno("open '/dev/null'");
  }
  const SpawnPlan how{.executable = own_executable(),
                      .args = {std::string(kStepProgramName), cat(spec_file.get())},
                      .input = plan.input < 0 ? null.get() : plan.input,
                      .output = plan.output,
                      .errors = plan.errors,
                      .keep = inheritance.kept(),
                      .namespaces = namespaces_for(plan),
                      .pid_namespace = inheritance.pid_namespace()};
  Launched launched{with_context([] { return "set up step"; }, [&] { return spawn(how); }),
                    std::move(ours)};
  try {
    if (plan.config.process.oom_score_adj && plan.mode != InitMode::hosted) {
      set_oom_score(launched.spawned.pid, *plan.config.process.oom_score_adj);
    }
    if (spec.waits) {
      prepare_waiting(plan, launched);
      send_record(launched.channel.get(),
                  {.kind = SetupRecord::Kind::proceed, .exit_status = launched.spawned.pid});
    }
  } catch (const Error&) {
    kill_spawned(launched.spawned);
    throw;
  }
  return launched;
}

}  // namespace lade::sandbox
