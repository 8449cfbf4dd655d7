#include "libimage/sandbox/set_up.h"

#include <cerrno>
#include <csignal>
#include <string>

#include <fcntl.h>
#include <grp.h>
#include <linux/magic.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/io/path.h"
#include "libimage/sandbox/cgroup_mount.h"
#include "libimage/sandbox/console.h"
#include "libimage/sandbox/hooks.h"
#include "libimage/sandbox/loopback.h"
#include "libimage/sandbox/mount_options.h"
#include "libimage/sandbox/mount_source.h"
#include "libimage/sandbox/mounts.h"
#include "libimage/sandbox/reaper.h"
#include "libimage/sandbox/setup_channel.h"
#include "libimage/sandbox/user_namespace.h"

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080
#endif

namespace lade::sandbox {
namespace {

void require(long result, std::string_view operation) {
  if (result < 0) throw_errno(operation);
}

bool has_new(const RuntimeConfig& config, Namespace kind) {
  const auto found = config.namespaces.find(kind);
  return found != config.namespaces.end() && found->second.empty();
}

void reset_signals() {
  for (int signal = 1; signal < NSIG; ++signal) (void)::signal(signal, SIG_DFL);
  block_supervised_signals();
}

/// User namespaces first: they give the right to enter those that they own. Mounts last: then the
/// paths are others.
void join_namespaces(const StepSpec& spec) {
  const auto join = [&](std::size_t i) {
    if (::setns(spec.join_fds.at(i), 0) != 0) throw_errno("enter namespace");
  };
  for (const bool user : {true, false}) {
    for (const bool mount : {false, true}) {
      for (std::size_t i = 0; i < spec.join_fds.size(); ++i) {
        const Namespace kind = spec.join_kinds.at(i);
        if ((kind == Namespace::user) != user || (kind == Namespace::mount) != mount) continue;
        join(i);
        if (user) become_root();
      }
    }
  }
}

void make_time_namespace(const RuntimeConfig& config) {
  require(::unshare(CLONE_NEWTIME), "create time namespace");
  std::string text;
  for (const auto& [clock, offset] : config.time_offsets) {
    text += cat(clock, " ", offset.seconds, " ", offset.nanoseconds, "\n");
  }
  if (text.empty()) return;
  const UniqueFd file(::open("/proc/self/timens_offsets", O_WRONLY | O_CLOEXEC));
  if (!file || ::write(file.get(), text.data(), text.size()) < 0) throw_errno("set time offsets");
}

/// Before the host's paths are out of reach: mounts what the step sees of other trees, and files of
/// its own; the result owns the descriptors that the specification names from now on.
std::vector<UniqueFd> mount_pieces(StepSpec& spec) {
  std::vector<UniqueFd> mounted;
  for (std::size_t i = 0; i < spec.config.mounts.size(); ++i) {
    const Mount& mount = spec.config.mounts[i];
    if (is_bind(mount)) continue;
    if (mount.overlay) {
      mounted.push_back(open_overlay_source(mount));
    } else if (mount.type == "content") {
      mounted.push_back(open_content_source(mount));
    } else if (mount.type == "cgroup") {
      mounted.push_back(
          with_context([&] { return cat("mount ", quoted(mount.destination)); },
                       [&] { return cgroup_tree(spec.config, parse_mount_options(mount)); }));
    } else {
      continue;
    }
    spec.mount_fds.at(i) = mounted.back().get();
  }
  return mounted;
}

void set_sysctls(const RuntimeConfig& config, const DirFd& root) {
  for (const auto& setting : config.sysctl) {
    const std::string& key = setting.first;
    const std::string& value = setting.second;
    std::string path = cat("proc/sys/", key);
    if (key.find('/') == std::string::npos) {
      for (std::size_t i = sizeof "proc/sys"; i < path.size(); ++i) {
        if (path[i] == '.') path[i] = '/';
      }
    }
    with_context([&] { return cat("set sysctl ", quoted(key)); },
                 [&] {
                   const UniqueFd file = open_in_root(root, path, O_WRONLY);
                   struct statfs found {};
                   if (::fstatfs(file.get(), &found) != 0) throw_errno("stat");
                   if (found.f_type != PROC_SUPER_MAGIC) {
                     throw Error(Errc::denied, "it is not the kernel's (CVE-2019-16884)");
                   }
                   if (::write(file.get(), value.data(), value.size()) < 0) throw_errno("write");
                 });
  }
}

void set_names(const RuntimeConfig& config) {
  if (has_new(config, Namespace::uts) && !config.hostname.empty()) {
    require(::sethostname(config.hostname.data(), config.hostname.size()), "set hostname");
  }
  if (!config.domainname.empty()) {
    require(::setdomainname(config.domainname.data(), config.domainname.size()), "set domainname");
  }
}

/// Where the root is attached while the host's tree is there still; "" if it need not be. In a user
/// namespace devices, and /sys of a network that is not the namespace's, are the host's, bound.
std::string staging_place(const RuntimeConfig& config) {
  const Hooks& hooks = config.hooks;
  const bool early_hooks =
      !hooks.prestart.empty() || !hooks.create_runtime.empty() || !hooks.create_container.empty();
  if (!early_hooks && !config.namespaces.contains(Namespace::user) && !in_user_namespace())
    return {};
  return config.root.overlay ? config.root.overlay->upper : config.root.path;
}

void run_early_hooks(const Step& step) {
  const Hooks& hooks = step.spec.config.hooks;
  if (!hooks.prestart.empty() || !hooks.create_runtime.empty()) {
    send_record(step.spec.channel, {.kind = SetupRecord::Kind::mounted});
    (void)await_proceed(step.spec.channel);
  }
  run_hooks(hooks.create_container, "createContainer",
            hook_state(step.spec.state_head, "creating", step.outer_pid));
}

/// True if `path` is below the destination of one of the first `count` mounts: its mount point is
/// not of the root.
bool is_below_mount(const RuntimeConfig& config, std::size_t count, const std::string& path) {
  for (std::size_t i = 0; i < count; ++i) {
    if (path.rfind(cat(config.mounts[i].destination, "/"), 0) == 0) return true;
  }
  return false;
}

/// Puts the piece of mount `i` where the runtime finds it, and makes the mount point.
void place_hosted_mount(Step& step, std::size_t i) {
  const Mount& mount = step.spec.config.mounts[i];
  MountPoints::Kind kind = MountPoints::Kind::directory;
  if (const int tree = step.spec.mount_fds.at(i); tree >= 0) {
    struct stat found {};
    if (::fstat(tree, &found) != 0) throw_errno("stat");
    const std::string place = cat(step.spec.hosting.bundle, "/", kHostedPieces, "/", i);
    if (S_ISDIR(found.st_mode)) {
      require(::mkdir(place.c_str(), 0700), "make a place for it");
    } else {
      kind = MountPoints::Kind::file;
      const UniqueFd file(::open(place.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600));
      require(file.get(), "make a place for it");
    }
    require(::move_mount(tree, "", AT_FDCWD, place.c_str(), MOVE_MOUNT_F_EMPTY_PATH), "attach it");
  }
  if (is_below_mount(step.spec.config, i, mount.destination)) return;
  (void)step.points->open(mount.destination, kind, MountPoints::Keep::until_unmade);
}

unsigned long root_propagation(const StepSpec& spec) {
  const std::string& word = spec.config.rootfs_propagation;
  if (word.empty()) return spec.mode == InitMode::step ? MS_PRIVATE : MS_SLAVE;
  const unsigned long asked = propagation_of(word);
  return asked == MS_PRIVATE || asked == MS_UNBINDABLE ? MS_PRIVATE : MS_SLAVE;
}

void enter_namespaces(Step& step) {
  const RuntimeConfig& config = step.spec.config;
  if (has_new(config, Namespace::user)) become_root();
  join_namespaces(step.spec);
  if (step.spec.new_cgroup_namespace && step.spec.cgroup_fds.empty()) {
    require(::unshare(CLONE_NEWCGROUP), "create cgroup namespace");
  }
  if (has_new(config, Namespace::time)) make_time_namespace(config);
  require(::mount(nullptr, "/", nullptr, root_propagation(step.spec) | MS_REC, nullptr),
          "take mounts out of the host's");
  if (has_new(config, Namespace::network)) bring_loopback_up();
}

void set_root_propagation(const RuntimeConfig& config) {
  const unsigned asked = propagation_of(config.rootfs_propagation);
  if (asked == 0 || asked == MS_PRIVATE) return;
  const unsigned long below = config.rootfs_propagation.front() == 'r' ? MS_REC : 0;
  require(::mount(nullptr, "/", nullptr, asked | below, nullptr), "set the root's propagation");
}

}  // namespace

void protect() {
  require(::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0), "hide from the step");
  require(::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0), "die with the parent");
  (void)::prctl(PR_SET_NAME, "lade-init", 0, 0, 0);
}

void become_root() {
  require(::setresgid(0, 0, 0), "become root of the user namespace: set group id");
  (void)::setgroups(0, nullptr);  // not allowed where only one id is mapped
  require(::setresuid(0, 0, 0), "become root of the user namespace: set user id");
  protect();  // changes of ids undo it
}

void set_up(Step& step) {
  const RuntimeConfig& config = step.spec.config;
  require(::setsid(), "start session");
  reset_signals();
  (void)::umask(0);
  enter_namespaces(step);
  step.root = mount_root(config.root);
  const std::vector<UniqueFd> pieces = mount_pieces(step.spec);
  const std::string staging = staging_place(config);
  attach_root(step.root.tree, staging.empty() ? "/" : staging);
  if (staging.empty()) enter_root(step.root.tree);
  step.points.emplace(step.root.tree, step.root.upper ? step.root.upper.get() : -1);
  mount_all(config, step.spec.mount_fds, *step.points);
  set_sysctls(config, step.root.tree);
  run_early_hooks(step);
  if (!staging.empty()) enter_root(step.root.tree);
  if (config.process.terminal && step.spec.console_socket >= 0) {
    step.console = open_console(config.process, step.spec.console_socket, &*step.points);
  }
  restrict_paths(step.root.tree, config.masked_paths, config.readonly_paths);
  set_names(config);
  step.cwd =
      with_context([] { return "working directory"; },
                   [&] {
                     return step.points->open(config.process.cwd, MountPoints::Kind::directory,
                                              MountPoints::Keep::for_good);
                   });
  set_root_propagation(config);
  if (config.root.readonly) set_access(step.root.tree, Access::read_only);
}

void set_up_hosted(Step& step) {
  const RuntimeConfig& config = step.spec.config;
  const std::string& bundle = step.spec.hosting.bundle;
  require(::setsid(), "start session");
  reset_signals();
  (void)::umask(0);
  require(::mount(nullptr, "/", nullptr, MS_SLAVE | MS_REC, nullptr),
          "take mounts out of the host's");
  // crun gives up where control groups of both versions are mounted; the second has no limits
  // there.
  (void)::umount2("/sys/fs/cgroup/unified", MNT_DETACH);
  step.root = mount_root(config.root);
  const std::vector<UniqueFd> pieces = mount_pieces(step.spec);
  attach_root(step.root.tree, cat(bundle, "/", kHostedRoot));
  step.points.emplace(step.root.tree, step.root.upper ? step.root.upper.get() : -1);
  for (std::size_t i = 0; i < config.mounts.size(); ++i) {
    with_context([&] { return cat("mount ", quoted(config.mounts[i].destination)); },
                 [&] { place_hosted_mount(step, i); });
  }
  (void)step.points->open(config.process.cwd, MountPoints::Kind::directory,
                          MountPoints::Keep::for_good);
}

void join_container(Step& step) {
  const Process& process = step.spec.config.process;
  (void)::setsid();
  reset_signals();
  join_namespaces(step.spec);
  const DirFd root = open_dir("/");
  step.cwd = with_context([] { return "working directory"; },
                          [&] { return open_in_root(root, process.cwd, O_PATH | O_DIRECTORY); });
  if (process.terminal && step.spec.console_socket >= 0) {
    step.console = open_console(process, step.spec.console_socket, nullptr);
  }
}

}  // namespace lade::sandbox
