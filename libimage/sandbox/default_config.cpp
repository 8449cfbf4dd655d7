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

RuntimeConfig default_config() {
  RuntimeConfig config;
  config.process.capabilities = {"CAP_CHOWN",   "CAP_DAC_OVERRIDE", "CAP_FOWNER",
                                 "CAP_FSETID",  "CAP_KILL",         "CAP_NET_BIND_SERVICE",
                                 "CAP_SETFCAP", "CAP_SETGID",       "CAP_SETPCAP",
                                 "CAP_SETUID",  "CAP_SYS_CHROOT"};
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
  return config;
}

}  // namespace lade::sandbox
