#include "libimage/sandbox/id_map.h"

#include <cerrno>
#include <csignal>

#include <fcntl.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"

namespace lade::sandbox {
namespace {

void write_map(pid_t process, const char* name, const std::vector<IdMapping>& mappings) {
  std::string text;
  for (const IdMapping& mapping : mappings) {
    text += cat(mapping.container_id, " ", mapping.host_id, " ", mapping.size, "\n");
  }
  const UniqueFd file(::open(cat("/proc/", process, "/", name).c_str(), O_WRONLY | O_CLOEXEC));
  if (!file || ::write(file.get(), text.data(), text.size()) < 0) {
    throw_errno(cat("write ", name));  // whole or not at all
  }
}

/// Ends a process whatever comes.
class Waiting {
 public:
  explicit Waiting(pid_t pid) : pid_(pid) {}
  Waiting(const Waiting&) = delete;
  Waiting& operator=(const Waiting&) = delete;
  ~Waiting() {
    (void)::kill(pid_, SIGKILL);
    while (::waitpid(pid_, nullptr, __WALL) < 0 && errno == EINTR) {
    }
  }

 private:
  pid_t pid_;
};

}  // namespace

void write_id_maps(pid_t process, const std::vector<IdMapping>& uids,
                   const std::vector<IdMapping>& gids) {
  write_map(process, "uid_map", uids);
  write_map(process, "gid_map", gids);
}

UniqueFd user_namespace_with(const std::vector<IdMapping>& uids,
                             const std::vector<IdMapping>& gids) {
  const long pid =
      ::syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, nullptr, nullptr, nullptr, nullptr);
  if (pid < 0) throw_errno("create user namespace");
  if (pid == 0) {
    ::syscall(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    for (;;) ::syscall(SYS_ppoll, nullptr, 0, nullptr, nullptr, 0);
  }
  const Waiting waiting(static_cast<pid_t>(pid));
  write_id_maps(static_cast<pid_t>(pid), uids, gids);
  UniqueFd users(::open(cat("/proc/", pid, "/ns/user").c_str(), O_RDONLY | O_CLOEXEC));
  if (!users) throw_errno("open user namespace");
  return users;
}

}  // namespace lade::sandbox
