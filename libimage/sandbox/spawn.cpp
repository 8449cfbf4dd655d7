#include "libimage/sandbox/spawn.h"

#include <array>
#include <cerrno>
#include <climits>
#include <csignal>
#include <cstdint>
#include <memory>

#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"

namespace lade::sandbox {
namespace {

constexpr std::size_t kStackBytes = std::size_t{64} * 1024;

/// Signals stay blocked while a child shares our memory, or a handler would run twice in it.
class SignalsBlocked {
 public:
  SignalsBlocked() {
    sigset_t all;
    sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;
  ~SignalsBlocked() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

 private:
  sigset_t before_{};
};

struct ExecCall {
  const SpawnPlan& plan;
  char* const* args;
  const char* failed = nullptr;  // set by the child, which shares our memory
  int error = 0;
};

int child_failed(ExecCall& call, const char* what) {
  call.failed = what;
  call.error = errno;
  return 127;
}

/// Without it, executing a program would take all capabilities from a process whose id is not
/// mapped to root's yet. Nothing of it is left once ids and capabilities are set.
__attribute__((no_sanitize("address", "thread"))) bool keep_capabilities() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2]{};
  if (::syscall(SYS_capget, &header, data) != 0) return false;
  for (auto& word : data) word.inheritable = word.permitted;
  if (::syscall(SYS_capset, &header, data) != 0) return false;
  for (int capability = 0; capability < 64; ++capability) {
    if (::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability, 0, 0) != 0) break;
  }
  return true;
}

__attribute__((no_sanitize("address", "thread"))) int exec_child(void* argument) {
  auto& call = *static_cast<ExecCall*>(argument);
  const SpawnPlan& plan = call.plan;
  if (::dup2(plan.input, 0) < 0 || ::dup2(plan.output, 1) < 0 || ::dup2(plan.errors, 2) < 0) {
    return child_failed(call, "redirect its output");
  }
  if ((plan.namespaces & CLONE_NEWUSER) != 0 && !keep_capabilities()) {
    return child_failed(call, "keep capabilities");
  }
  for (const int fd : plan.keep) {
    if (::fcntl(fd, F_SETFD, 0) != 0) return child_failed(call, "pass descriptors");
  }
  char* const environment[] = {nullptr};
  ::syscall(SYS_execveat, plan.executable, "", call.args, environment, AT_EMPTY_PATH);
  return child_failed(call, "execute this program again");
}

struct PlainCall {
  void (*body)(void*);
  void* argument;
};

__attribute__((no_sanitize("address", "thread"))) int plain_child(void* argument) {
  const auto& call = *static_cast<PlainCall*>(argument);
  call.body(call.argument);
  return 0;
}

#ifdef __SANITIZE_THREAD__
/// ThreadSanitizer takes every clone(2) for a fork: "in the child" it stops looking at this thread,
/// but the child shares our memory, so that it is us who are not looked at any more, which makes
/// locked data look unlocked. This is the same function of libc, without the sanitizer.
int clone_process(int (*child)(void*), void* stack, int flags, void* argument,
                  ...) __asm__("__clone");
#else
constexpr auto clone_process = ::clone;
#endif

/// clone(2) with the parent waiting until the child has executed a program or ended.
pid_t clone_waiting(int (*child)(void*), void* argument, unsigned long flags, int* pidfd) {
  const auto stack = std::make_unique<std::array<std::uint8_t, kStackBytes>>();
  const SignalsBlocked blocked;
  return clone_process(child, stack->data() + stack->size(),
                       static_cast<int>(flags | CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD),
                       argument, pidfd);
}

/// While it lives, this thread's children are made in another pid namespace.
class ChildrenIn {
 public:
  explicit ChildrenIn(int pid_namespace) {
    if (pid_namespace < 0) return;
    before_.reset(::open("/proc/thread-self/ns/pid_for_children", O_RDONLY | O_CLOEXEC));
    if (!before_) throw_errno("open this process's pid namespace");
    if (::setns(pid_namespace, CLONE_NEWPID) != 0) throw_errno("enter pid namespace");
  }
  ChildrenIn(const ChildrenIn&) = delete;
  ChildrenIn& operator=(const ChildrenIn&) = delete;
  ~ChildrenIn() {
    if (before_) (void)::setns(before_.get(), CLONE_NEWPID);
  }

 private:
  UniqueFd before_;
};

int reap(pid_t pid) {
  int status = 0;
  while (::waitpid(pid, &status, __WALL) < 0 && errno == EINTR) {
  }
  return status;
}

}  // namespace

Spawned spawn(const SpawnPlan& plan) {
  std::vector<std::string> args = plan.args;
  std::vector<char*> pointers;
  for (std::string& arg : args) pointers.push_back(arg.data());
  pointers.push_back(nullptr);
  ExecCall call{plan, pointers.data()};
  int pidfd = -1;
  const ChildrenIn children(plan.pid_namespace);
  const pid_t pid = clone_waiting(exec_child, &call, plan.namespaces, &pidfd);
  if (pid < 0) {
    const int error = errno;
    if (error == EINVAL || error == ENOSPC || error == ENOSYS) {
      throw Error(Errc::unsupported, cat("create namespaces: ", errno_text(error)),
                  ErrnoDetail{error});
    }
    throw_errno("create namespaces", error);
  }
  Spawned spawned{pid, UniqueFd(pidfd)};
  if (call.failed != nullptr) {
    (void)reap(pid);
    throw_errno(call.failed, call.error);
  }
  return spawned;
}

void kill_spawned(const Spawned& spawned) noexcept {
  (void)::syscall(SYS_pidfd_send_signal, spawned.pidfd.get(), SIGKILL, nullptr, 0U);
  (void)reap(spawned.pid);
}

int call_in_namespaces(unsigned long namespaces, void (*body)(void*), void* argument) {
  PlainCall call{body, argument};
  int pidfd = -1;
  const pid_t pid = clone_waiting(plain_child, &call, namespaces, &pidfd);
  if (pid < 0) return errno;
  const UniqueFd closes(pidfd);
  (void)reap(pid);
  return 0;
}

namespace {

/// The mount of the executable is that of the mount namespace in which it was executed; in another
/// one it is found by its path there.
UniqueFd clone_by_path() {
  std::array<char, PATH_MAX> path{};
  if (::readlink("/proc/self/exe", path.data(), path.size() - 1) < 0) return {};
  struct stat own {};
  struct stat found {};
  UniqueFd file(::open_tree(AT_FDCWD, path.data(), OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC));
  if (!file || ::stat("/proc/self/exe", &own) != 0 || ::fstat(file.get(), &found) != 0) return {};
  if (own.st_dev == found.st_dev && own.st_ino == found.st_ino) return file;
  throw Error(Errc::io, "open this program's executable: another file is in its place");
}

}  // namespace

UniqueFd open_own_executable() {
  UniqueFd file(::open_tree(AT_FDCWD, "/proc/self/exe", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC));
  if (!file && errno == EINVAL) file = clone_by_path();
  if (!file) throw_errno("open this program's executable");
  mount_attr readonly{};
  readonly.attr_set = MOUNT_ATTR_RDONLY;
  readonly.propagation = MS_PRIVATE;
  if (::mount_setattr(file.get(), "", AT_EMPTY_PATH, &readonly, sizeof readonly) != 0) {
    throw_errno("make this program's executable read-only");
  }
  return file;
}

}  // namespace lade::sandbox
