/// The runtime specification's config.json as values: what a step or a container is. One model,
/// executed by the built-in runner, read from and written to bundles (libimage/runtime). Names are
/// the specification's (runtime-spec v1.0.2 to v1.2, config.md, config-linux.md); the members'
/// spellings in JSON are in config_fields.h, and nowhere else.
#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "libimage/sandbox/seccomp_filter.h"

namespace lade::sandbox {

/// Members that this version does not know, by name, as JSON: kept and written again.
using UnknownFields = std::map<std::string, std::string>;

struct User {
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::vector<std::uint32_t> additional_gids = {};  ///< a StepRunner adds gid to them
  std::optional<std::uint32_t> umask = {};          ///< else 0022
  bool operator==(const User&) const = default;
};

struct Rlimit {
  std::string type = {};  ///< "RLIMIT_NOFILE"
  std::uint64_t soft = 0;
  std::uint64_t hard = 0;
  bool operator==(const Rlimit&) const = default;
};

/// Each set by name ("CAP_CHOWN"); what the kernel does not have is refused.
struct CapabilitySets {
  Capabilities bounding = {};
  Capabilities effective = {};  ///< gone after exec for a user other than 0, as the kernel has it
  Capabilities permitted = {};
  Capabilities inheritable = {};
  Capabilities ambient = {};
  bool operator==(const CapabilitySets&) const = default;
};

struct ConsoleSize {
  std::uint16_t height = 0;
  std::uint16_t width = 0;
  bool operator==(const ConsoleSize&) const = default;
};

struct Process {
  std::vector<std::string> args = {};  ///< args[0] is looked up in env's PATH inside the root
  std::vector<std::string> env = {};   ///< exactly these; nothing of the caller's environment leaks
  std::string cwd = "/";
  User user = {};
  CapabilitySets capabilities = {};
  bool no_new_privileges = false;
  std::vector<Rlimit> rlimits = {};
  std::optional<std::int32_t> oom_score_adj = {};
  bool terminal = false;
  std::optional<ConsoleSize> console_size = {};
  std::string apparmor_profile = {};
  std::string selinux_label = {};
  UnknownFields unknown = {};
  bool operator==(const Process&) const = default;
};

/// An overlay that the runner mounts as the root, or below it: the directories exist already. One
/// step at a time has an upper and a work directory; afterwards the upper holds what the step
/// changed (whiteouts and opaque directories as overlayfs writes them, every file with its
/// content), the work directory nothing. Neither is synced to disk. Not of the specification.
struct OverlayRoot {
  std::vector<std::string> lower = {};  ///< topmost first, at most 500
  std::string upper = {};
  std::string work = {};
  bool operator==(const OverlayRoot&) const = default;
};

struct IdMapping {
  std::uint32_t container_id = 0;
  std::uint32_t host_id = 0;
  std::uint32_t size = 0;
  bool operator==(const IdMapping&) const = default;
};

struct Mount {
  std::string destination = {};  ///< absolute, resolved inside the root
  /// "bind" (or an option "bind", "rbind" with any type), "tmpfs", "proc", "sysfs", "devpts",
  /// "mqueue", "cgroup", "cgroup2"; not of the specification: "overlay", "content"
  std::string type = {};
  std::string source = {};  ///< bind: a path of the host, resolved by the caller's rights; or
                            ///< "fd:N", an open descriptor. overlay: what to show of it, resolved
                            ///< inside it; "": all
  std::vector<std::string> options = {};    ///< "ro", "rbind", "rnosuid", "idmap", "mode=755", ...;
                                            ///< an unknown one is refused
  std::optional<OverlayRoot> overlay = {};  ///< of an overlay; device nodes on it have no effect
  std::string content = {};  ///< of a "content": a file in memory (mode=, uid=, gid=) that is gone
                             ///< with the step
  std::vector<IdMapping> uid_mappings = {};  ///< of a bind with "idmap" or "ridmap"
  std::vector<IdMapping> gid_mappings = {};
  UnknownFields unknown = {};
  bool operator==(const Mount&) const = default;
};

/// True if `mount` shows a part of the host's tree.
bool is_bind(const Mount& mount);

/// Whether device nodes in a root work; where not, devices are those of /dev alone.
enum class DeviceNodes : std::uint8_t { ineffective, effective };

struct Root {
  std::string path = {};  ///< a directory used as it is, by one step at a time, or
  std::optional<OverlayRoot> overlay =
      {};  ///< these, mounted inside the step's own mount namespace
  bool readonly = false;
  DeviceNodes device_nodes = DeviceNodes::ineffective;  ///< not of the specification
  bool operator==(const Root&) const = default;
};

enum class Namespace : std::uint8_t { pid, mount, ipc, uts, network, cgroup, user, time };

/// A program of the host, or of the container for start_container.
struct Hook {
  std::string path = {};
  std::vector<std::string> args = {};  ///< args[0] first; empty: the path alone
  std::vector<std::string> env = {};
  std::optional<std::uint32_t> timeout = {};  ///< seconds, above 0
  bool operator==(const Hook&) const = default;
};

struct Hooks {
  std::vector<Hook> prestart = {};
  std::vector<Hook> create_runtime = {};
  std::vector<Hook> create_container = {};
  std::vector<Hook> start_container = {};
  std::vector<Hook> poststart = {};
  std::vector<Hook> poststop = {};
  bool operator==(const Hooks&) const = default;
};

struct Device {
  std::string path = {};
  std::string type = {};  ///< "c", "u", "b", "p"
  std::int64_t major = 0;
  std::int64_t minor = 0;
  std::optional<std::uint32_t> file_mode = {};  ///< else 0666
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::string host_path = {};  ///< its node on the host, if that is not `path`, for where nodes
                               ///< cannot be made; not of the specification
  bool operator==(const Device&) const = default;
};

struct DeviceRule {
  bool allow = false;
  std::string type = {};                   ///< "a" or "": all, "c", "b"
  std::optional<std::int64_t> major = {};  ///< absent or -1: all
  std::optional<std::int64_t> minor = {};
  std::string access = {};  ///< of "rwm"
  bool operator==(const DeviceRule&) const = default;
};

struct MemoryLimits {  ///< bytes; -1: none
  std::optional<std::int64_t> limit = {};
  std::optional<std::int64_t> reservation = {};
  std::optional<std::int64_t> swap = {};  ///< memory and swap together
  std::optional<std::int64_t> kernel = {};
  std::optional<std::int64_t> kernel_tcp = {};
  std::optional<std::uint64_t> swappiness = {};
  bool disable_oom_killer = false;
  std::optional<bool> use_hierarchy = {};
  bool check_before_update = false;
  bool operator==(const MemoryLimits&) const = default;
};

struct CpuLimits {
  std::optional<std::uint64_t> shares = {};
  std::optional<std::int64_t> quota = {};    ///< microseconds in each period; -1: all
  std::optional<std::uint64_t> burst = {};   ///< microseconds
  std::optional<std::uint64_t> period = {};  ///< microseconds
  std::optional<std::int64_t> realtime_runtime = {};
  std::optional<std::uint64_t> realtime_period = {};
  std::string cpus = {};  ///< "0-1,4"
  std::string mems = {};
  std::optional<std::int64_t> idle = {};
  bool operator==(const CpuLimits&) const = default;
};

struct PidsLimit {
  std::int64_t limit = 0;  ///< 0 or less: none
  bool operator==(const PidsLimit&) const = default;
};

struct WeightDevice {
  std::int64_t major = 0;
  std::int64_t minor = 0;
  std::optional<std::uint16_t> weight = {};
  std::optional<std::uint16_t> leaf_weight = {};
  bool operator==(const WeightDevice&) const = default;
};

struct ThrottleDevice {
  std::int64_t major = 0;
  std::int64_t minor = 0;
  std::uint64_t rate = 0;
  bool operator==(const ThrottleDevice&) const = default;
};

struct BlockIoLimits {
  std::optional<std::uint16_t> weight = {};
  std::optional<std::uint16_t> leaf_weight = {};
  std::vector<WeightDevice> weight_devices = {};
  std::vector<ThrottleDevice> read_bps = {};
  std::vector<ThrottleDevice> write_bps = {};
  std::vector<ThrottleDevice> read_iops = {};
  std::vector<ThrottleDevice> write_iops = {};
  bool operator==(const BlockIoLimits&) const = default;
};

struct HugepageLimit {
  std::string page_size = {};  ///< "2MB"
  std::uint64_t limit = 0;
  bool operator==(const HugepageLimit&) const = default;
};

struct Resources {
  std::vector<DeviceRule> devices = {};  ///< in order, the last that fits decides
  std::optional<MemoryLimits> memory = {};
  std::optional<CpuLimits> cpu = {};
  std::optional<PidsLimit> pids = {};
  std::optional<BlockIoLimits> block_io = {};
  std::vector<HugepageLimit> hugepage_limits = {};
  std::map<std::string, std::string> unified = {};  ///< files of cgroup v2
  UnknownFields unknown = {};
  bool operator==(const Resources&) const = default;
};

struct Personality {
  std::string domain = {};  ///< "LINUX" or "LINUX32"
  std::vector<std::string> flags = {};
  bool operator==(const Personality&) const = default;
};

struct TimeOffset {
  std::int64_t seconds = 0;
  std::uint32_t nanoseconds = 0;
  bool operator==(const TimeOffset&) const = default;
};

struct RuntimeConfig {
  std::string oci_version = "1.0.0";  ///< what crun and runc of any age read
  Process process = {};
  Root root = {};
  std::string hostname = {};
  std::string domainname = {};
  std::vector<Mount> mounts = {};  ///< made in order
  Hooks hooks = {};
  std::map<std::string, std::string> annotations = {};
  UnknownFields unknown = {};

  // "linux"
  std::vector<IdMapping> uid_mappings = {};
  std::vector<IdMapping> gid_mappings = {};
  std::map<std::string, TimeOffset> time_offsets = {};  ///< "monotonic", "boottime"
  std::map<std::string, std::string> sysctl = {};       ///< "net.ipv4.ip_forward"
  std::optional<Resources> resources = {};
  std::string cgroups_path = {};
  /// "": a new one; else the path of one to join. Those not named are shared with the host.
  std::map<Namespace, std::string> namespaces = {};
  std::vector<Device> devices = {};          ///< besides those that every container has
  std::optional<SeccompRules> seccomp = {};  ///< nullopt: unconfined
  std::string rootfs_propagation = {};       ///< "slave", "private", "shared", "unbindable"; r...
  std::vector<std::string> masked_paths = {};
  std::vector<std::string> readonly_paths = {};
  std::string mount_label = {};
  std::optional<Personality> personality = {};
  UnknownFields unknown_linux = {};
  bool operator==(const RuntimeConfig&) const = default;
};

/// What containers and build steps expect: the mounts of the specification's "Default Filesystems",
/// masked and read-only paths, namespaces, the field's 11 capabilities and the built-in seccomp
/// profile for them.
RuntimeConfig default_config();

/// Which rights a step has; of a build's options.
struct StepRights {
  Capabilities capabilities = default_capabilities();
  enum class Seccomp : std::uint8_t { profile, unconfined } seccomp = Seccomp::profile;
  std::string seccomp_json = {};  ///< a profile in the containers' format; "": the built-in one
  bool no_new_privileges = false;

  /// CHOWN DAC_OVERRIDE FOWNER FSETID KILL NET_BIND_SERVICE SETFCAP SETGID SETPCAP SETUID
  /// SYS_CHROOT
  static Capabilities default_capabilities();
};

/// Gives `config` these rights in place of those that it has: bounding, effective and permitted
/// capabilities, and the profile as it is for them. Error{invalid_content, unsupported} for the
/// profile.
void set_rights(RuntimeConfig& config, const StepRights& rights);

}  // namespace lade::sandbox
