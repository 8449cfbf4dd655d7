#include "libimage/sandbox/exec_process.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <csignal>
#include <string>
#include <vector>

#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <linux/filter.h>
#include <linux/keyctl.h>
#include <linux/magic.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/sandbox/capabilities.h"
#include "libimage/sandbox/console.h"
#include "libimage/sandbox/setup_channel.h"
#include "libimage/sandbox/user_namespace.h"
#include "libimage/sandbox/validate.h"

namespace lade::sandbox {
namespace {

constexpr int kNotExecutable = 126;
constexpr int kNotFound = 127;
constexpr std::string_view kDefaultPath =  // what a shell takes where PATH is not set
    "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

void require(long result, std::string_view operation) {
  if (result < 0) throw_errno(operation);
}

/// A keyring of its own, or the step could use the keys of the session that started the build.
void join_new_keyring() {
  if (::syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, nullptr) < 0 && errno != ENOSYS &&
      errno != EPERM) {
    throw_errno("create session keyring");
  }
}

/// Output pipes that the step's user may open again by name; what cannot change hands stays.
void pass_on_streams(const User& user) {
  if (user.uid == 0) return;
  for (int stream = 0; stream < 3; ++stream) {
    struct stat found {};
    if (::fstat(stream, &found) != 0 || found.st_uid == user.uid) continue;
    if (S_ISCHR(found.st_mode) && found.st_rdev == makedev(1, 3)) continue;
    (void)!::fchown(stream, user.uid, static_cast<gid_t>(-1));
  }
}

void take_streams(const ProcessPlan& plan) {
  if (plan.console >= 0) return take_console(plan.console);
  if (plan.streams == Streams::own_null) {
    const UniqueFd null(::open("/dev/null", O_RDWR | O_NOFOLLOW | O_CLOEXEC));
    struct stat found {};
    if (null && ::fstat(null.get(), &found) == 0 && S_ISCHR(found.st_mode) &&
        found.st_rdev == makedev(1, 3)) {
      require(::dup2(null.get(), 0), "redirect input");
    }
  }
  pass_on_streams(plan.process.user);
}

void set_limits(const std::vector<Rlimit>& limits) {
  for (const Rlimit& limit : limits) {
    const auto number = static_cast<__rlimit_resource>(rlimit_number(limit.type));
    const rlimit wanted{limit.soft, limit.hard};
    if (::setrlimit(number, &wanted) == 0) continue;
    if (errno != EPERM) throw_errno(cat("set ", limit.type));
    // Only a privileged host may raise a hard limit: as near to the wish as is allowed.
    rlimit now{};
    require(::getrlimit(number, &now), cat("read ", limit.type));
    const rlimit possible{std::min<rlim_t>(limit.soft, now.rlim_max),
                          std::min<rlim_t>(limit.hard, now.rlim_max)};
    require(::setrlimit(number, &possible), cat("set ", limit.type));
  }
}

struct Masks {
  std::uint64_t effective = 0;
  std::uint64_t permitted = 0;
  std::uint64_t inheritable = 0;
};

void set_capabilities(const Masks& masks) {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  std::array<__user_cap_data_struct, 2> data{};
  for (unsigned word = 0; word < 2; ++word) {
    data[word].effective = static_cast<std::uint32_t>(masks.effective >> (32U * word));
    data[word].permitted = static_cast<std::uint32_t>(masks.permitted >> (32U * word));
    data[word].inheritable = static_cast<std::uint32_t>(masks.inheritable >> (32U * word));
  }
  require(::syscall(SYS_capset, &header, data.data()), "set capabilities");
}

std::uint64_t permitted_capabilities() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  std::array<__user_cap_data_struct, 2> data{};
  require(::syscall(SYS_capget, &header, data.data()), "read capabilities");
  return std::uint64_t{data[1].permitted} << 32U | data[0].permitted;
}

void drop_bounding_set(std::uint64_t keep) {
  for (unsigned capability = 0; capability < 64; ++capability) {
    if ((keep >> capability & 1U) != 0) continue;
    if (::prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) == 0) continue;
    if (errno == EINVAL) break;  // past the last one of this kernel
    throw_errno("drop capabilities from the bounding set");
  }
  require(::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0), "clear ambient capabilities");
}

[[noreturn]] void no_such_id(std::string_view kind, std::uint32_t id) {
  const int error = errno;
  if (error != EINVAL) throw_errno(cat("set ", kind, " id"), error);
  throw Error(Errc::denied,
              cat("set ", kind, " id: this user namespace has no ", kind, " ", id,
                  " (more ids come from /etc/subuid and /etc/subgid, with newuidmap)"),
              ErrnoDetail{error});
}

/// Supplementary groups are exactly those given; a step's primary one is among them
/// (CVE-2022-2989). The capabilities stay for what is left of the set-up.
void become(const User& user, PrimaryGroup primary) {
  std::vector<gid_t> groups(user.additional_gids.begin(), user.additional_gids.end());
  const bool has_own = std::find(groups.begin(), groups.end(), user.gid) != groups.end();
  if (primary == PrimaryGroup::supplementary_too && !has_own) {
    groups.insert(groups.begin(), user.gid);
  }
  if (::setgroups(groups.size(), groups.data()) != 0) {
    const int error = errno;
    // In a namespace of one id there is nothing to choose.
    if (!has_one_id() && (error != EPERM || groups.size() > 1)) throw_errno("set groups", error);
  }
  if (::setresgid(user.gid, user.gid, user.gid) != 0) no_such_id("group", user.gid);
  require(::prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0), "keep capabilities");
  if (::setresuid(user.uid, user.uid, user.uid) != 0) no_such_id("user", user.uid);
  const std::uint64_t permitted = permitted_capabilities();
  set_capabilities({.effective = permitted, .permitted = permitted});
}

/// The directory was resolved inside the root; getcwd tells of one that is not (CVE-2024-21626).
void enter_cwd(int cwd) {
  require(::fchdir(cwd), "enter working directory");
  std::array<char, PATH_MAX> path{};
  const long size = ::syscall(SYS_getcwd, path.data(), path.size());
  if (size < 0 && errno == ERANGE) return;  // deeper than PATH_MAX, and so below the root
  require(size, "check working directory");
  if (path[0] != '/') {
    throw Error(Errc::denied, "enter working directory: it is outside the root");
  }
}

void load_filter(const ProcessPlan& plan) {
  const std::string_view filter = plan.seccomp_filter;
  if (filter.empty()) return;
  std::vector<sock_filter> code(filter.size() / sizeof(sock_filter));
  std::copy_n(filter.data(), code.size() * sizeof(sock_filter),
              reinterpret_cast<char*>(code.data()));
  sock_fprog program{static_cast<unsigned short>(code.size()), code.data()};
  require(::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, plan.seccomp_flags, &program),
          "load seccomp filter");
}

/// What the kernel has and this process may pass on; more is left out, as a host that is a
/// container itself has not all to give.
void take_capabilities(const CapabilitySets& sets) {
  const std::uint64_t held = permitted_capabilities();
  const std::uint64_t ambient = capability_mask(sets.ambient);
  set_capabilities({.effective = capability_mask(sets.effective) & held,
                    .permitted = capability_mask(sets.permitted) & held,
                    .inheritable = capability_mask(sets.inheritable) & held});
  for (unsigned capability = 0; capability < 64; ++capability) {
    if ((ambient >> capability & 1U) == 0) continue;
    require(::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability, 0, 0),
            "raise ambient capabilities");
  }
}

/// `attribute` of this process's next program, for the security module that this kernel has.
void set_label(const char* attribute, const std::string& value) {
  const UniqueFd file(::open(attribute, O_WRONLY | O_NOFOLLOW | O_CLOEXEC));
  struct statfs found {};
  if (!file || ::fstatfs(file.get(), &found) != 0) throw_errno(cat("open ", attribute));
  if (found.f_type != PROC_SUPER_MAGIC) {
    throw Error(Errc::denied, cat("open ", attribute, ": it is not the kernel's"));
  }
  if (::write(file.get(), value.data(), value.size()) < 0) throw_errno(cat("write ", attribute));
}

void set_labels(const Process& process) {
  if (!process.apparmor_profile.empty()) {
    const bool own = ::access("/proc/thread-self/attr/apparmor/exec", F_OK) == 0;
    set_label(own ? "/proc/thread-self/attr/apparmor/exec" : "/proc/thread-self/attr/exec",
              cat("exec ", process.apparmor_profile));
  }
  if (!process.selinux_label.empty())
    set_label("/proc/thread-self/attr/exec", process.selinux_label);
}

struct Argv {
  std::vector<char*> args;
  std::vector<char*> env;
};

std::vector<char*> pointers(const std::vector<std::string>& texts) {
  std::vector<char*> list;
  for (const std::string& text : texts) list.push_back(const_cast<char*>(text.c_str()));
  list.push_back(nullptr);
  return list;
}

std::vector<std::string> candidates(const Process& process) {
  const std::string& name = process.args[0];
  if (name.find('/') != std::string::npos) return {name};
  std::string_view path = kDefaultPath;
  for (const std::string& variable : process.env) {
    if (variable.rfind("PATH=", 0) == 0) path = std::string_view(variable).substr(5);
  }
  std::vector<std::string> found;
  for (const std::string_view dir : split(path, ':')) {
    found.push_back(dir.empty() ? cat("./", name) : cat(dir, "/", name));
  }
  return found;
}

[[noreturn]] void exec_failed(const std::string& name, int error) {
  const bool missing = error == ENOENT || error == ENOTDIR;
  const std::string line = missing && name.find('/') == std::string::npos
                               ? cat("lade: ", quoted(name), ": command not found\n")
                               : cat("lade: execute ", quoted(name), ": ", errno_text(error), "\n");
  (void)!::write(2, line.data(), line.size());
  ::_exit(missing ? kNotFound : kNotExecutable);
}

/// Without no_new_privileges only a privileged process may load a filter, so it comes before the
/// last drop, which the filter must then allow; with it the filter is the last of all.
void prepare(const ProcessPlan& plan) {
  const Process& process = plan.process;
  for (const int entrance : plan.cgroup_fds) {
    require(::write(entrance, "0", 1), "enter control group");
  }
  if (plan.new_cgroup_namespace) {
    require(::unshare(CLONE_NEWCGROUP), "create cgroup namespace");
  }
  if (::setsid() < 0 && errno != EPERM) throw_errno("start session");  // EPERM: it leads one
  if (plan.keyring == Keyring::own) join_new_keyring();
  take_streams(plan);
  set_limits(process.rlimits);
  (void)::umask(process.user.umask.value_or(022));
  if (plan.personality != ~0UL) require(::personality(plan.personality), "set personality");
  drop_bounding_set(capability_mask(process.capabilities.bounding));
  enter_cwd(plan.cwd);
  set_labels(process);
  become(process.user, plan.primary_group);
  require(::syscall(SYS_close_range, 3U + plan.preserve_fds, ~0U, CLOSE_RANGE_CLOEXEC),
          "close descriptors");
  sigset_t none;
  sigemptyset(&none);
  require(::sigprocmask(SIG_SETMASK, &none, nullptr), "unblock signals");
  if (process.no_new_privileges) {
    require(::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "set no_new_privileges");
  } else {
    load_filter(plan);
  }
  take_capabilities(process.capabilities);
}

void tell_failure(int channel, const SetupRecord& failure) noexcept {
  if (channel >= 0 && !is_hung_up(channel)) return send_record(channel, failure);
  const std::string line = "lade: " + failure.message + "\n";
  (void)!::write(2, line.data(), line.size());
}

}  // namespace

void check_command(const Process& process) {
  const std::string& name = process.args[0];
  int error = ENOENT;
  for (const std::string& program : candidates(process)) {
    struct stat found {};
    if (::stat(program.c_str(), &found) != 0) {
      if (errno != ENOENT && errno != ENOTDIR) error = errno;
    } else if (S_ISDIR(found.st_mode) ||
               ::faccessat(AT_FDCWD, program.c_str(), X_OK, AT_EACCESS) != 0) {
      error = EACCES;
    } else {
      return;
    }
  }
  if (error == ENOENT && name.find('/') == std::string::npos) {
    throw Error(Errc::not_found,
                cat("exec: ", quoted(name), ": executable file not found in $PATH"));
  }
  throw_errno(cat("exec: ", quoted(name)), error);
}

void exec_process(const ProcessPlan& plan) noexcept {
  SetupRecord failure{SetupRecord::Kind::failed};
  try {
    const Process& process = plan.process;
    const std::vector<std::string> programs = candidates(process);
    const Argv call{pointers(process.args), pointers(process.env)};
    prepare(plan);
    if (plan.ready) plan.ready();
    if (process.no_new_privileges) load_filter(plan);
    int error = ENOENT;
    for (const std::string& program : programs) {
      ::execve(program.c_str(), call.args.data(), call.env.data());
      if (errno == ENOENT || errno == ENOTDIR) continue;
      error = errno;
      if (errno != EACCES) break;
    }
    exec_failed(process.args[0], error);
  } catch (const Error& e) {
    failure.code = e.code();
    failure.message = e.what();
    const auto* detail = std::get_if<ErrnoDetail>(&e.detail());
    failure.error_number = detail != nullptr ? detail->value : 0;
  } catch (const std::exception& e) {
    failure.message = e.what();
  }
  tell_failure(plan.channel, failure);
  ::_exit(kNotExecutable);
}

}  // namespace lade::sandbox
