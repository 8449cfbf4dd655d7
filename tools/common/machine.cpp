#include "tools/common/machine.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <thread>
#include <utility>

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/build/emulation.h"
#include "libimage/io/path.h"
#include "libimage/io/program.h"
#include "libimage/name/platform.h"
#include "libimage/sandbox/cgroup.h"
#include "libimage/sandbox/step_runner.h"

#include "tools/common/images.h"
#include "tools/common/process.h"
#include "tools/common/rootless.h"

namespace lade::tools {
namespace {

using templates::Value;

constexpr std::uint64_t kMaxKernelFile = std::uint64_t{64} * 1024;
constexpr std::string_view kSystemPath =
    "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

Value record(std::string type, std::vector<std::pair<std::string, Value>> fields) {
  templates::ValueRecord made{.type = std::move(type)};
  for (auto& [name, value] : fields)
    made.fields.push_back({.name = std::move(name), .json_name = {}, .value = std::move(value)});
  return Value::of(std::move(made));
}

Value number(std::uint64_t value) { return Value::of(static_cast<std::int64_t>(value)); }

std::string first_line(const std::string& path) {
  try {
    const std::string text = read_file(path, kMaxKernelFile);
    return std::string(trimmed(std::string_view(text).substr(0, text.find('\n'))));
  } catch (const Error&) {
    return {};
  }
}

bool exists(const std::string& path) { return ::access(path.c_str(), F_OK) == 0; }

Value host_of() {
  utsname names{};
  (void)::uname(&names);
  struct sysinfo memory {};
  (void)::sysinfo(&memory);
  const oci::Platform platform = host_platform();
  return record("info.Host",
                {{"Kernel", Value::of(std::string(names.release))},
                 {"Platform", Value::of(oci::to_string(platform))},
                 {"CPUs", number(std::max(1U, std::thread::hardware_concurrency()))},
                 {"MemoryBytes", number(std::uint64_t{memory.totalram} * memory.mem_unit)}});
}

/// A program in the PATH, or where they usually are.
Ability program(const std::string& name, const Environment& environment, std::string_view use,
                std::string_view package) {
  try {
    const std::string path =
        find_program(name, cat(environment.variable("PATH"), ":", kSystemPath));
    return {.name = name, .available = true, .detail = path};
  } catch (const Error&) {
    return {.name = name,
            .available = false,
            .detail = cat("not installed (package ", package, "): ", use)};
  }
}

Ability seccomp_filters() {
  Ability found{.name = "seccomp filters"};
  const std::uint32_t action = SECCOMP_RET_ERRNO;
  found.available = ::syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0;
  found.detail = found.available ? first_line("/proc/sys/kernel/seccomp/actions_avail")
                                 : cat("this kernel has none: ", errno_text(errno));
  return found;
}

Ability user_notification() {
  Ability found{.name = "seccomp user notification"};
  const std::uint32_t action = SECCOMP_RET_USER_NOTIF;
  found.available = ::syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0;
  found.detail = found.available ? "owners of files can be emulated where there is one id only"
                                 : "needs Linux 5.0";
  return found;
}

std::vector<Ability> security_modules() {
  const bool apparmor = exists("/sys/kernel/security/apparmor");
  const bool selinux = exists("/sys/fs/selinux/enforce");
  return {{.name = "AppArmor",
           .available = apparmor,
           .detail = apparmor ? "" : "not enabled in this kernel: profiles are refused"},
          {.name = "SELinux",
           .available = selinux,
           .detail = selinux ? "" : "not enabled in this kernel: labels are refused"}};
}

/// Enters the namespace, where one is needed, and tells of it.
Ability user_namespace(const Environment& environment, std::uint64_t& ids, std::string& why_one) {
  Ability found{.name = "user namespaces"};
  try {
    const auto made = enter_user_namespace_if_needed(environment);
    found.available = true;
    if (!made) {
      found.detail = "not needed: this process has the rights";
    } else {
      ids = made->ids;
      why_one = made->why_one;
      found.detail = ids > 1 ? cat(ids, " ids") : cat("one id only: ", why_one);
    }
  } catch (const Error& e) {
    found.detail = e.what();
  }
  return found;
}

std::string cgroup_version(const std::vector<sandbox::Hierarchy>& all) {
  const bool v1 = std::any_of(all.begin(), all.end(), [](const auto& h) { return !h.unified; });
  const bool v2 = std::any_of(all.begin(), all.end(), [](const auto& h) { return h.unified; });
  if (v1 && v2) return "hybrid";
  if (v2) return "2";
  return v1 ? "1" : "none";
}

/// Whether groups can be made below this process's own.
bool is_delegated(const sandbox::Hierarchy& hierarchy) {
  const std::string own = cat(hierarchy.mount, hierarchy.own);
  return ::access(own.c_str(), W_OK) == 0 && ::access(cat(own, "/cgroup.procs").c_str(), W_OK) == 0;
}

Value cgroups_of() {
  const std::vector<sandbox::Hierarchy> all = sandbox::find_hierarchies();
  std::vector<std::string> present;
  std::vector<std::string> usable;
  for (const sandbox::Hierarchy& hierarchy : all) {
    for (const std::string& controller : hierarchy.controllers) {
      if (controller.starts_with("name=")) continue;
      present.push_back(controller);
      if (is_delegated(hierarchy)) usable.push_back(controller);
    }
  }
  return record("info.Cgroups", {{"Version", Value::of(cgroup_version(all))},
                                 {"Controllers", Value::of(present)},
                                 {"Delegated", Value::of(usable)}});
}

/// What the sandbox can do on the file system of the store.
void examine_sandbox(const Environment& environment, Machine& machine, std::string& driver) {
  Ability containers{.name = "containers"};
  Ability overlay{.name = "overlayfs"};
  try {
    Stores stores(environment);
    const sandbox::Abilities found = sandbox::probe(stores.local().temp_path());
    containers.available = found.namespaces;
    overlay.available = found.overlay;
    if (!found.namespaces) containers.detail = found.why_not;
    if (!found.overlay) overlay.detail = cat(found.why_not, ": steps run in copies of the tree");
  } catch (const Error& e) {
    containers.detail = overlay.detail = e.what();
  }
  driver = !containers.available ? "none" : overlay.available ? "overlay" : "copies";
  machine.sandbox.push_back(std::move(containers));
  machine.sandbox.push_back(std::move(overlay));
}

std::vector<std::string> executable_platforms() {
  std::vector<std::string> found;
  for (const char* architecture :
       {"amd64", "386", "arm64", "arm", "ppc64le", "riscv64", "s390x", "loong64", "mips64le"}) {
    const oci::Platform platform = parse_platform(cat("linux/", architecture));
    try {
      build::require_emulation(platform, host_platform(), "/proc/sys/fs/binfmt_misc");
      found.push_back(oci::to_string(platform));
    } catch (const Error&) {  // it is not among them
    }
  }
  return found;
}

}  // namespace

Machine examine_machine(const Environment& environment) {
  Machine machine{.host = host_of()};
  std::uint64_t ids = 0;
  std::string why_one;
  const unsigned uid = process_uid();
  machine.cgroups = cgroups_of();
  machine.sandbox.push_back(user_namespace(environment, ids, why_one));
  machine.user = record("info.User", {{"UID", number(uid)},
                                      {"Rootless", Value::of(sandbox::in_user_namespace())},
                                      {"NamespaceIDs", number(ids)}});
  std::string driver;
  examine_sandbox(environment, machine, driver);
  machine.sandbox.push_back(seccomp_filters());
  machine.sandbox.push_back(user_notification());
  for (Ability& module : security_modules()) machine.sandbox.push_back(std::move(module));
  machine.store =
      record("info.Store", {{"Path", Value::of(environment.store)}, {"Driver", Value::of(driver)}});
  machine.runtimes = {program("crun", environment, "for --runtime crun", "crun"),
                      program("runc", environment, "for --runtime runc", "runc")};
  machine.network = {program("pasta", environment, "networks of users", "passt"),
                     program("slirp4netns", environment, "networks of users", "slirp4netns")};
  machine.helpers = {program("newuidmap", environment, "several ids for users", "uidmap"),
                     program("newgidmap", environment, "several ids for users", "uidmap"),
                     program("git", environment, "build contexts and ADD of repositories", "git")};
  machine.platforms = executable_platforms();
  return machine;
}

}  // namespace lade::tools
