// Runs inside a step: makes the system calls named by its arguments and prints "NAME: ok" or the
// errno's name.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static long call(const char* name) {
  if (!strcmp(name, "mount")) return mount("none", "/", "tmpfs", 0, "");
  if (!strcmp(name, "remount")) return mount("", "/proc/sys", "", MS_REMOUNT | MS_BIND, "");
  if (!strcmp(name, "umount-mask")) return umount2("/proc/keys", MNT_DETACH);
  if (!strcmp(name, "setns")) return setns(open("/proc/self/ns/uts", O_RDONLY), 0);
  if (!strcmp(name, "bpf")) return syscall(SYS_bpf, 0, 0, 0);
  if (!strcmp(name, "perf_event_open")) return syscall(SYS_perf_event_open, 0, 0, -1, -1, 0);
  if (!strcmp(name, "userfaultfd")) return syscall(SYS_userfaultfd, 0);
  if (!strcmp(name, "kexec_load")) return syscall(SYS_kexec_load, 0, 0, 0, 0);
  if (!strcmp(name, "init_module")) return syscall(SYS_init_module, 0, 0, "");
  if (!strcmp(name, "open_by_handle_at")) return syscall(SYS_open_by_handle_at, AT_FDCWD, 0, 0);
  if (!strcmp(name, "io_uring_setup")) return syscall(SYS_io_uring_setup, 1, 0);
  if (!strcmp(name, "unknown")) return syscall(9999);
  if (!strcmp(name, "personality")) return personality(ADDR_NO_RANDOMIZE);
  if (!strcmp(name, "personality-linux")) return personality(PER_LINUX);
  if (!strcmp(name, "audit-socket")) return socket(AF_NETLINK, SOCK_RAW, 9);
  if (!strcmp(name, "route-socket")) return socket(AF_NETLINK, SOCK_RAW, 0);
  if (!strcmp(name, "raw-socket")) return socket(AF_INET, SOCK_RAW, 1);
  if (!strcmp(name, "keyctl")) return syscall(SYS_keyctl, 0, -3, 0);
  if (!strcmp(name, "session-keys")) return syscall(SYS_keyctl, 6, -3, 0, 0) == 0 ? 0 : -1;
  if (!strcmp(name, "clone3")) return syscall(SYS_clone3, 0, 0) < 0 && errno == EINVAL ? 0 : -1;
  if (!strcmp(name, "ptrace-init")) return ptrace(PTRACE_ATTACH, 1, 0, 0);
  if (!strcmp(name, "read-init-exe")) return open("/proc/1/exe", O_RDONLY);
  if (!strcmp(name, "write-init-exe")) return open("/proc/1/exe", O_WRONLY);
  if (!strcmp(name, "path-init-exe")) return open("/proc/1/exe", O_PATH);
  if (!strcmp(name, "open-init-fd")) return open("/proc/1/fd/1", O_PATH);
  if (!strcmp(name, "read-init-mem")) return open("/proc/1/mem", O_RDONLY);
  if (!strcmp(name, "init-root")) return open("/proc/1/root/bin", O_PATH);
  if (!strcmp(name, "kill-init")) return kill(1, SIGKILL);
  if (!strcmp(name, "mknod-disk")) return mknod("/disk", S_IFBLK | 0600, (254 << 8));
  if (!strcmp(name, "nofile")) {
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    printf("%lu %lu\n", (unsigned long)limit.rlim_cur, (unsigned long)limit.rlim_max);
    return 0;
  }
  errno = EDOM;
  return -1;
}

static int list_descriptors(void) {
  for (int fd = 0; fd < 65536; ++fd) {
    if (fcntl(fd, F_GETFD) >= 0) printf("%d\n", fd);
  }
  return 0;
}

int main(int argc, char** argv) {
  if (argc > 1 && !strcmp(argv[1], "descriptors")) return list_descriptors();
  for (int i = 1; i < argc; ++i) {
    const long result = call(argv[i]);
    printf("%s: %s\n", argv[i], result >= 0 ? "ok" : strerrorname_np(errno));
    fflush(stdout);
  }
  return 0;
}
