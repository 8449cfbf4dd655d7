// Stands where a dynamic loader is expected, so that executing /proc/self/exe in a step runs this
// with the host's program as /proc/self/exe (CVE-2019-5736). It tries to open that for writing and
// exits with the errno.
#include <fcntl.h>
#include <sys/syscall.h>

static long call3(long number, long a, long b, long c) {
  long result;
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "a"(number), "D"(a), "S"(b), "d"(c)
                   : "rcx", "r11", "memory");
  return result;
}

void _start(void);
// The kernel enters with the stack aligned as no caller leaves it.
__attribute__((force_align_arg_pointer)) void _start(void) {
  static const char exe[] = "/proc/self/exe";
  long result = call3(SYS_open, (long)exe, O_WRONLY | O_TRUNC, 0);
  if (result >= 0) call3(SYS_exit_group, 100, 0, 0);
  const long opened = call3(SYS_open, (long)exe, O_RDONLY, 0);
  if (opened < 0 || opened > 9) call3(SYS_exit_group, 101, 0, 0);
  char link[] = "/proc/self/fd/0";
  link[sizeof link - 2] = (char)('0' + opened);
  const long again = call3(SYS_open, (long)link, O_WRONLY | O_TRUNC, 0);
  call3(SYS_exit_group, again >= 0 ? 102 : -result == -again ? -result : 103, 0, 0);
}
