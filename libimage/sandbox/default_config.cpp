#include <algorithm>
#include <filesystem>
#include <string>
#include <system_error>

#include "libimage/base/text.h"
#include "libimage/sandbox/runtime_config.h"

namespace lade::sandbox {
namespace {

/// Thermal throttling counts tell a step about its neighbours; the field masks them for each CPU.
void mask_thermal_throttle(std::vector<std::string>& masked) {
  const std::filesystem::path cpus = "/sys/devices/system/cpu";
  std::error_code failed;
  for (std::filesystem::directory_iterator at(cpus, failed), end; !failed && at != end;
       at.increment(failed)) {
    const std::string name = at->path().filename().string();
    if (name.rfind("cpu", 0) != 0 || !parse_decimal(std::string_view(name).substr(3))) continue;
    const std::filesystem::path throttle = at->path() / "thermal_throttle";
    std::error_code ignored;
    if (std::filesystem::exists(throttle, ignored)) masked.push_back(throttle.string());
  }
}

}  // namespace

bool is_bind(const Mount& mount) {
  return mount.type == "bind" ||
         std::any_of(mount.options.begin(), mount.options.end(),
                     [](const std::string& o) { return o == "bind" || o == "rbind"; });
}

Capabilities StepRights::default_capabilities() {
  return {"CAP_CHOWN",   "CAP_DAC_OVERRIDE",     "CAP_FOWNER",    "CAP_FSETID",
          "CAP_KILL",    "CAP_SETGID",           "CAP_SETUID",    "CAP_SETPCAP",
          "CAP_SETFCAP", "CAP_NET_BIND_SERVICE", "CAP_SYS_CHROOT"};
}

void set_rights(RuntimeConfig& config, const StepRights& rights) {
  config.process.capabilities = {.bounding = rights.capabilities,
                                 .effective = rights.capabilities,
                                 .permitted = rights.capabilities};
  config.process.no_new_privileges = rights.no_new_privileges;
  if (rights.seccomp == StepRights::Seccomp::unconfined) {
    config.seccomp.reset();
  } else if (rights.seccomp_json.empty()) {
    config.seccomp = default_seccomp_rules(rights.capabilities);
  } else {
    config.seccomp = parse_seccomp_profile(rights.seccomp_json, rights.capabilities);
  }
}

RuntimeConfig default_config() {
  RuntimeConfig config;
  config.hostname = "lade";
  for (const Namespace kind : {Namespace::pid, Namespace::network, Namespace::ipc, Namespace::uts,
                               Namespace::mount, Namespace::cgroup}) {
    config.namespaces[kind];
  }
  config.mounts = {
      {"/proc", "proc", "proc", {"nosuid", "noexec", "nodev"}},
      {"/dev", "tmpfs", "tmpfs", {"nosuid", "strictatime", "mode=755", "size=65536k"}},
      {"/dev/pts",
       "devpts",
       "devpts",
       {"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"}},
      {"/dev/shm", "tmpfs", "shm", {"nosuid", "noexec", "nodev", "mode=1777", "size=65536k"}},
      {"/dev/mqueue", "mqueue", "mqueue", {"nosuid", "noexec", "nodev"}},
      {"/sys", "sysfs", "sysfs", {"nosuid", "noexec", "nodev", "ro"}},
  };
  config.masked_paths = {"/proc/acpi",          "/proc/interrupts",
                         "/proc/kcore",         "/proc/keys",
                         "/proc/latency_stats", "/proc/sched_debug",
                         "/proc/scsi",          "/proc/timer_list",
                         "/proc/timer_stats",   "/sys/devices/virtual/powercap",
                         "/sys/firmware",       "/sys/fs/selinux"};
  mask_thermal_throttle(config.masked_paths);
  config.readonly_paths = {"/proc/asound", "/proc/bus", "/proc/fs",
                           "/proc/irq",    "/proc/sys", "/proc/sysrq-trigger"};
  set_rights(config, {});
  return config;
}

}  // namespace lade::sandbox
