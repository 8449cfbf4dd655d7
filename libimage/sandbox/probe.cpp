#include <cerrno>
#include <string>

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/io/path.h"
#include "libimage/sandbox/spawn.h"
#include "libimage/sandbox/step_runner.h"
#include "libimage/sandbox/user_namespace.h"

namespace lade::sandbox {
namespace {

constexpr unsigned long kNamespaces =
    CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWNET | CLONE_NEWCGROUP;

/// Shared with the child that tries; each is the errno of the first failure, 0 if none.
struct Attempt {
  const char* directory = nullptr;  // holds "lower", "upper" and "work"
  bool user_attributes = false;     // in a user namespace
  int proc = 0;
  int overlay = 0;
};

int try_mount_proc() {
  if (::mount(nullptr, "/", nullptr, MS_PRIVATE | MS_REC, nullptr) != 0) return errno;
  const int context = ::fsopen("proc", FSOPEN_CLOEXEC);
  if (context < 0 || ::fsconfig(context, FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) != 0 ||
      ::fsmount(context, FSMOUNT_CLOEXEC, 0) < 0) {
    return errno;
  }
  return 0;
}

int try_mount_overlay(const Attempt& attempt) {
  if (::chdir(attempt.directory) != 0) return errno;  // names are short, whatever the path
  const int context = ::fsopen("overlay", FSOPEN_CLOEXEC);
  if (context < 0 || ::fsconfig(context, FSCONFIG_SET_STRING, "lowerdir", "lower", 0) != 0 ||
      ::fsconfig(context, FSCONFIG_SET_STRING, "upperdir", "upper", 0) != 0 ||
      ::fsconfig(context, FSCONFIG_SET_STRING, "workdir", "work", 0) != 0) {
    return errno;
  }
  (void)::fsconfig(context, FSCONFIG_SET_FLAG, "volatile", nullptr, 0);
  if (attempt.user_attributes &&
      ::fsconfig(context, FSCONFIG_SET_FLAG, "userxattr", nullptr, 0) != 0) {
    return errno;
  }
  if (::fsconfig(context, FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) != 0 ||
      ::fsmount(context, FSMOUNT_CLOEXEC, 0) < 0) {
    return errno;
  }
  return 0;
}

void try_all(void* argument) {
  auto& attempt = *static_cast<Attempt*>(argument);
  attempt.proc = try_mount_proc();
  attempt.overlay = try_mount_overlay(attempt);
}

void make_dir(const TempDir& dir, const char* name) {
  if (::mkdirat(dir.dir().get(), name, 0700) != 0) throw_errno("create directory");
}

}  // namespace

Abilities probe(const std::string& directory) {
  const TempDir scratch(directory, ".lade-probe-");
  for (const char* name : {"lower", "upper", "work"}) make_dir(scratch, name);
  Attempt attempt{scratch.path().c_str(), in_user_namespace()};
  const int error = call_in_namespaces(kNamespaces, try_all, &attempt);
  Abilities abilities;
  if (error != 0) {
    abilities.why_not = cat("create namespaces: ", errno_text(error));
  } else if (attempt.proc != 0) {
    abilities.why_not = cat("mount proc: ", errno_text(attempt.proc));
  } else {
    abilities.namespaces = true;
    abilities.overlay = attempt.overlay == 0;
    if (!abilities.overlay) abilities.why_not = cat("mount overlay: ", errno_text(attempt.overlay));
  }
  return abilities;
}

}  // namespace lade::sandbox
