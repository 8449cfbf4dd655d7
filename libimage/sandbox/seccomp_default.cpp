// The built-in seccomp profile as data: the names and conditions of the containers' default profile
// (containers-common), in which a call that is not named does not exist (ENOSYS).
#include <array>
#include <cerrno>
#include <string_view>

#include "libimage/base/text.h"
#include "libimage/sandbox/seccomp_filter.h"

namespace lade::sandbox {
namespace {

constexpr std::string_view kAllowed =
    "_llseek _newselect accept accept4 access adjtimex alarm bind brk capget capset chdir "
    "chmod chown chown32 clock_adjtime clock_adjtime64 clock_getres clock_getres_time64 "
    "clock_gettime clock_gettime64 clock_nanosleep clock_nanosleep_time64 clone clone3 "
    "close close_range connect copy_file_range creat dup dup2 dup3 epoll_create "
    "epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2 epoll_wait "
    "epoll_wait_old eventfd eventfd2 execve execveat exit exit_group faccessat faccessat2 "
    "fadvise64 fadvise64_64 fallocate fanotify_mark fchdir fchmod fchmodat fchown fchown32 "
    "fchownat fcntl fcntl64 fdatasync fgetxattr flistxattr flock fork fremovexattr fsconfig "
    "fsetxattr fsmount fsopen fspick fstat fstat64 fstatat64 fstatfs fstatfs64 fsync "
    "ftruncate ftruncate64 futex futex_time64 futimesat get_mempolicy get_robust_list "
    "get_thread_area getcpu getcwd getdents getdents64 getegid getegid32 geteuid geteuid32 "
    "getgid getgid32 getgroups getgroups32 getitimer getpeername getpgid getpgrp getpid "
    "getppid getpriority getrandom getresgid getresgid32 getresuid getresuid32 getrlimit "
    "getrusage getsid getsockname getsockopt gettid gettimeofday getuid getuid32 getxattr "
    "inotify_add_watch inotify_init inotify_init1 inotify_rm_watch io_cancel io_destroy "
    "io_getevents io_setup io_submit ioctl ioprio_get ioprio_set ipc keyctl kill "
    "landlock_add_rule landlock_create_ruleset landlock_restrict_self lchown lchown32 "
    "lgetxattr link linkat listen listxattr llistxattr lremovexattr lseek lsetxattr lstat "
    "lstat64 madvise mbind membarrier memfd_create memfd_secret mincore mkdir mkdirat mknod "
    "mknodat mlock mlock2 mlockall mmap mmap2 mount mount_setattr move_mount mprotect "
    "mq_getsetattr mq_notify mq_open mq_timedreceive mq_timedreceive_time64 mq_timedsend "
    "mq_timedsend_time64 mq_unlink mremap msgctl msgget msgrcv msgsnd msync munlock "
    "munlockall munmap name_to_handle_at nanosleep newfstatat open open_tree openat openat2 "
    "pause pidfd_getfd pidfd_open pidfd_send_signal pipe pipe2 pivot_root pkey_alloc "
    "pkey_free pkey_mprotect poll ppoll ppoll_time64 prctl pread64 preadv preadv2 prlimit64 "
    "process_mrelease process_vm_readv process_vm_writev pselect6 pselect6_time64 ptrace "
    "pwrite64 pwritev pwritev2 read readahead readdir readlink readlinkat readv reboot recv "
    "recvfrom recvmmsg recvmmsg_time64 recvmsg remap_file_pages removexattr rename renameat "
    "renameat2 restart_syscall rmdir rseq rt_sigaction rt_sigpending rt_sigprocmask "
    "rt_sigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait rt_sigtimedwait_time64 "
    "rt_tgsigqueueinfo sched_get_priority_max sched_get_priority_min sched_getaffinity "
    "sched_getattr sched_getparam sched_getscheduler sched_rr_get_interval "
    "sched_rr_get_interval_time64 sched_setaffinity sched_setattr sched_setparam "
    "sched_setscheduler sched_yield seccomp select semctl semget semop semtimedop "
    "semtimedop_time64 send sendfile sendfile64 sendmmsg sendmsg sendto set_mempolicy "
    "set_robust_list set_thread_area set_tid_address setfsgid setfsgid32 setfsuid "
    "setfsuid32 setgid setgid32 setgroups setgroups32 setitimer setpgid setpriority "
    "setregid setregid32 setresgid setresgid32 setresuid setresuid32 setreuid setreuid32 "
    "setrlimit setsid setsockopt setuid setuid32 setxattr shmat shmctl shmdt shmget "
    "shutdown sigaction sigaltstack signal signalfd signalfd4 sigpending sigprocmask "
    "sigreturn sigsuspend socketcall socketpair splice stat stat64 statfs statfs64 statx "
    "symlink symlinkat sync sync_file_range syncfs syscall sysinfo syslog tee tgkill time "
    "timer_create timer_delete timer_getoverrun timer_gettime timer_gettime64 timer_settime "
    "timer_settime64 timerfd timerfd_create timerfd_gettime timerfd_gettime64 "
    "timerfd_settime timerfd_settime64 times tkill truncate truncate64 ugetrlimit umask "
    "umount umount2 uname unlink unlinkat unshare utime utimensat utimensat_time64 utimes "
    "vfork wait4 waitid waitpid write writev cachestat fchmodat2 futex_requeue futex_wait "
    "futex_waitv futex_wake map_shadow_stack mseal set_mempolicy_home_node";

/// Of no use to a step, and known for their flaws: refused whatever the capabilities.
constexpr std::string_view kRefused =
    "bdflush io_pgetevents kexec_file_load kexec_load migrate_pages move_pages nfsservctl "
    "nice oldfstat oldlstat oldolduname oldstat olduname pciconfig_iobase pciconfig_read "
    "pciconfig_write sgetmask ssetmask swapcontext swapoff swapon sysfs uselib userfaultfd "
    "ustat vm86 vm86old vmsplice";

/// Allowed with the capability that the kernel asks for anyway, EPERM without.
struct Guarded {
  std::string_view capability;
  std::string_view names;
};
constexpr std::array<Guarded, 9> kGuarded = {{
    {"CAP_DAC_READ_SEARCH",

     "open_by_handle_at"},
    {"CAP_SYS_ADMIN",
     "bpf fanotify_init lookup_dcookie perf_event_open quotactl setdomainname sethostname "
     "setns"},
    {"CAP_SYS_CHROOT",

     "chroot"},
    {"CAP_SYS_MODULE",

     "delete_module finit_module init_module query_module"},
    {"CAP_SYS_PACCT",

     "acct"},
    {"CAP_SYS_PTRACE",

     "kcmp process_madvise"},
    {"CAP_SYS_RAWIO",

     "ioperm iopl"},
    {"CAP_SYS_TIME",

     "clock_settime clock_settime64 settimeofday stime"},
    {"CAP_SYS_TTY_CONFIG",

     "vhangup"},
}};

#if defined(__x86_64__)
constexpr std::string_view kOfThisMachine = "arch_prctl modify_ldt";
constexpr std::string_view kOtherArchitecture = "SCMP_ARCH_X86";
#elif defined(__aarch64__)
constexpr std::string_view kOfThisMachine =
    "arm_fadvise64_64 arm_sync_file_range breakpoint cacheflush set_tls sync_file_range2";
constexpr std::string_view kOtherArchitecture = "SCMP_ARCH_ARM";
#else
#error "the seccomp profile knows x86-64 and arm64"
#endif

/// The execution domains that change nothing but an address space layout or a reported name.
constexpr std::array<std::uint64_t, 5> kPersonalities = {0, 0x0008, 0x20000, 0x20008, 0xffffffff};
constexpr std::uint64_t kNetlink = 16;      // AF_NETLINK
constexpr std::uint64_t kNetlinkAudit = 9;  // NETLINK_AUDIT

std::vector<std::string> words(std::string_view text) {
  std::vector<std::string> list;
  for (const std::string_view word : split(text, ' ')) list.emplace_back(word);
  return list;
}

SeccompRule allow(std::vector<std::string> names, std::vector<SeccompArgument> arguments = {}) {
  return {std::move(names), SeccompAction::allow, std::nullopt, std::move(arguments)};
}

SeccompRule refuse(std::vector<std::string> names, int error,
                   std::vector<SeccompArgument> arguments = {}) {
  return {std::move(names), SeccompAction::error, static_cast<std::uint16_t>(error),
          std::move(arguments)};
}

/// Audit messages need CAP_AUDIT_WRITE; programs expect EINVAL where a kernel has no audit.
void add_socket_rules(SeccompRules& profile, const Capabilities& capabilities) {
  using enum SeccompCompare;
  if (capabilities.contains("CAP_AUDIT_WRITE")) {
    profile.rules.push_back(allow({"socket"}));
    return;
  }
  profile.rules.push_back(
      refuse({"socket"}, EINVAL, {{0, kNetlink, 0, equal}, {2, kNetlinkAudit, 0, equal}}));
  profile.rules.push_back(allow({"socket"}, {{2, kNetlinkAudit, 0, not_equal}}));
  profile.rules.push_back(allow({"socket"}, {{0, kNetlink, 0, not_equal}}));
}

}  // namespace

SeccompRules default_seccomp_rules(const Capabilities& capabilities) {
  SeccompRules profile;
  profile.default_action = SeccompAction::error;
  profile.default_error = ENOSYS;
  profile.architectures = {std::string(kOtherArchitecture)};
  profile.rules.push_back(allow(words(kAllowed)));
  profile.rules.push_back(allow(words(kOfThisMachine)));
  profile.rules.push_back(refuse(words(kRefused), EPERM));
  for (const Guarded& guarded : kGuarded) {
    const bool held = capabilities.contains(std::string(guarded.capability));
    profile.rules.push_back(held ? allow(words(guarded.names))
                                 : refuse(words(guarded.names), EPERM));
  }
  for (const std::uint64_t personality : kPersonalities) {
    profile.rules.push_back(allow({"personality"}, {{0, personality, 0, SeccompCompare::equal}}));
  }
  add_socket_rules(profile, capabilities);
  return profile;
}

}  // namespace lade::sandbox
