#include "libimage/sandbox/validate.h"

#include <algorithm>
#include <array>
#include <limits>
#include <string_view>
#include <utility>

#include <sys/resource.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/sandbox/capabilities.h"
#include "libimage/sandbox/mount_options.h"

namespace lade::sandbox {
namespace {

constexpr std::size_t kMaxMounts = 256;    // far above any step; bounds descriptors
constexpr std::size_t kMaxPaths = 4096;    // masked and read-only paths, devices, rules
constexpr std::size_t kMaxLower = 500;     // overlayfs' own limit (OVL_MAX_STACK)
constexpr std::size_t kMaxHostname = 64;   // __NEW_UTS_LEN
constexpr std::size_t kMaxGroups = 65536;  // NGROUPS_MAX
constexpr std::size_t kMaxMappings = 340;  // UID_GID_MAP_MAX_EXTENTS
constexpr std::uint32_t kNoId = std::numeric_limits<std::uint32_t>::max();  // (uid_t)-1: "keep"

[[noreturn]] void refuse(std::string_view message) {
  throw Error(Errc::invalid_argument, cat("step: ", message));
}

[[noreturn]] void unsupported(std::string_view message) {
  throw Error(Errc::unsupported, cat("step: ", message));
}

void check_count(std::size_t count, std::size_t limit, std::string_view what) {
  if (count > limit) {
    throw Error(Errc::limit_exceeded, cat("step: ", what, ": more than ", limit));
  }
}

void check_text(std::string_view text, std::string_view what) {
  if (text.find('\0') != std::string_view::npos) refuse(cat(what, " holds a NUL byte"));
}

void check_absolute(std::string_view path, std::string_view what) {
  check_text(path, what);
  if (path.empty() || path.front() != '/') {
    refuse(cat(what, " ", quoted(path), " is not an absolute path"));
  }
}

void check_paths(const std::vector<std::string>& paths, std::string_view what) {
  check_count(paths.size(), kMaxPaths, what);
  for (const std::string& path : paths) check_absolute(path, what);
}

void check_capabilities(const CapabilitySets& sets) {
  const std::uint64_t bounding = capability_mask(sets.bounding);
  const std::uint64_t permitted = capability_mask(sets.permitted);
  const std::uint64_t inheritable = capability_mask(sets.inheritable);
  if ((capability_mask(sets.effective) & ~permitted) != 0) {
    refuse("process.capabilities.effective holds what permitted does not");
  }
  if ((capability_mask(sets.ambient) & ~(permitted & inheritable)) != 0) {
    refuse("process.capabilities.ambient holds what permitted and inheritable do not");
  }
  if (((permitted | inheritable) & ~bounding) != 0) {
    refuse("process.capabilities: permitted or inheritable hold what bounding does not");
  }
}

void check_overlay(const OverlayRoot& overlay) {
  if (overlay.lower.empty()) refuse("overlay has no lower directory");
  if (overlay.lower.size() > kMaxLower) {
    throw Error(Errc::limit_exceeded, cat("step: overlay of ", overlay.lower.size(),
                                          " lower directories, the limit is ", kMaxLower));
  }
  for (const std::string& lower : overlay.lower) check_text(lower, "lower directory");
  check_text(overlay.upper, "upper directory");
  check_text(overlay.work, "work directory");
}

void check_root(const Root& root) {
  if (root.overlay.has_value() == !root.path.empty()) {
    refuse("root must be either a directory or an overlay");
  }
  if (!root.overlay) return check_text(root.path, "root.path");
  check_overlay(*root.overlay);
}

void check_mappings(const std::vector<IdMapping>& mappings, std::string_view what) {
  check_count(mappings.size(), kMaxMappings, what);
  for (const IdMapping& mapping : mappings) {
    const auto beyond = [&](std::uint32_t first) {
      return std::uint64_t{first} + mapping.size > kNoId;
    };
    if (mapping.size == 0 || beyond(mapping.container_id) || beyond(mapping.host_id)) {
      refuse(cat(what, ": a range of ", mapping.size, " ids from ", mapping.container_id,
                 " is not one of ids"));
    }
  }
}

void check_mount_type(const Mount& mount) {
  constexpr std::array<std::string_view, 17> kTypes = {
      "tmpfs",   "proc",    "sysfs",      "devpts",      "mqueue",    "overlay",
      "content", "cgroup",  "cgroup2",    "ramfs",       "hugetlbfs", "bpf",
      "debugfs", "tracefs", "securityfs", "binfmt_misc", "fusectl"};
  if (is_bind(mount) || std::find(kTypes.begin(), kTypes.end(), mount.type) != kTypes.end()) return;
  unsupported(cat("mounts: ", quoted(mount.destination), ": type ", quoted(mount.type),
                  " is not supported"));
}

void check_mount(const Mount& mount) {
  const auto name = [&] { return cat("mounts: ", quoted(mount.destination), ": "); };
  check_absolute(mount.destination, "mounts: destination");
  check_text(mount.source, "mounts: source");
  check_mount_type(mount);
  if (is_bind(mount) && mount.source.empty()) refuse(cat(name(), "bind without a source"));
  if (mount.overlay && mount.type != "overlay")
    refuse(cat(name(), "directories belong to an overlay alone"));
  if (mount.type != "content" && !mount.content.empty())
    refuse(cat(name(), "its type holds no content"));
  if (mount.overlay) check_overlay(*mount.overlay);
  for (const std::string& option : mount.options) check_text(option, "a mount option");
  check_mappings(mount.uid_mappings, cat(name(), "uidMappings"));
  check_mappings(mount.gid_mappings, cat(name(), "gidMappings"));
  const MountOptions options = parse_mount_options(mount);
  const bool maps = !mount.uid_mappings.empty() || !mount.gid_mappings.empty();
  if (options.id_mapped && !maps) refuse(cat(name(), "idmap without uidMappings and gidMappings"));
  if (maps && !is_bind(mount)) refuse(cat(name(), "only a bind can have ids of its own"));
}

void check_user_namespace(const RuntimeConfig& config) {
  check_mappings(config.uid_mappings, "linux.uidMappings");
  check_mappings(config.gid_mappings, "linux.gidMappings");
  const auto user = config.namespaces.find(Namespace::user);
  const bool has_new = user != config.namespaces.end() && user->second.empty();
  if (has_new && (config.uid_mappings.empty() || config.gid_mappings.empty())) {
    refuse("linux.namespaces: a new user namespace needs linux.uidMappings and linux.gidMappings");
  }
  if (user == config.namespaces.end() &&
      (!config.uid_mappings.empty() || !config.gid_mappings.empty())) {
    refuse("linux.uidMappings: without a user namespace in linux.namespaces");
  }
}

void check_namespaces(const RuntimeConfig& config) {
  for (const auto& [kind, path] : config.namespaces) {
    if (!path.empty()) check_absolute(path, "linux.namespaces: path");
  }
  check_user_namespace(config);
  const auto time = config.namespaces.find(Namespace::time);
  if (!config.time_offsets.empty() && (time == config.namespaces.end() || !time->second.empty())) {
    refuse("linux.timeOffsets: without a new time namespace");
  }
  for (const auto& [clock, offset] : config.time_offsets) {
    if (clock != "monotonic" && clock != "boottime") {
      refuse(cat("linux.timeOffsets: no clock ", quoted(clock)));
    }
    if (offset.nanoseconds >= 1'000'000'000) refuse("linux.timeOffsets: nanosecs of a second");
  }
  const bool own_uts =
      config.namespaces.contains(Namespace::uts) && config.namespaces.at(Namespace::uts).empty();
  if (!own_uts && !config.domainname.empty()) {
    refuse("domainname: without a uts namespace of its own");
  }
}

void check_sysctl(const RuntimeConfig& config) {
  const auto own = [&](Namespace kind) { return config.namespaces.contains(kind); };
  for (const auto& [key, value] : config.sysctl) {
    check_text(key, "linux.sysctl");
    check_text(value, "linux.sysctl");
    if (key.empty() || key.find("..") != std::string::npos || key.front() == '/')
      refuse(cat("linux.sysctl: ", quoted(key), " is no name"));
    const std::string_view name = key;
    const bool ipc = name.rfind("fs.mqueue.", 0) == 0 || name.rfind("kernel.msg", 0) == 0 ||
                     name.rfind("kernel.shm", 0) == 0 || name.rfind("kernel.sem", 0) == 0;
    const bool uts = name == "kernel.hostname" || name == "kernel.domainname";
    const bool net = name.rfind("net.", 0) == 0 || name.rfind("net/", 0) == 0;
    if ((ipc && own(Namespace::ipc)) || (net && own(Namespace::network)) ||
        (name == "kernel.domainname" && own(Namespace::uts))) {
      continue;
    }
    refuse(cat("linux.sysctl: ", quoted(key),
               uts ? " is the hostname field's" : " is not of a namespace of the container"));
  }
}

void check_devices(const RuntimeConfig& config) {
  check_count(config.devices.size(), kMaxPaths, "linux.devices");
  for (const Device& device : config.devices) {
    check_absolute(device.path, "linux.devices: path");
    if (device.type != "c" && device.type != "u" && device.type != "b" && device.type != "p") {
      refuse(cat("linux.devices: ", quoted(device.path), ": no type ", quoted(device.type)));
    }
    if (device.major < 0 || device.minor < 0 || device.major > 4095 || device.minor > 1048575) {
      refuse(cat("linux.devices: ", quoted(device.path), ": numbers out of range"));
    }
  }
}

void check_rules(const std::vector<DeviceRule>& rules) {
  check_count(rules.size(), kMaxPaths, "linux.resources.devices");
  for (const DeviceRule& rule : rules) {
    const bool known =
        rule.type.empty() || rule.type == "a" || rule.type == "b" || rule.type == "c";
    if (!known) refuse(cat("linux.resources.devices: no type ", quoted(rule.type)));
    if (rule.access.find_first_not_of("rwm") != std::string::npos) {
      refuse(cat("linux.resources.devices: access ", quoted(rule.access), " is not of rwm"));
    }
  }
}

void check_resources(const Resources& resources) {
  check_rules(resources.devices);
  for (const auto& [name, value] : resources.unified) {
    if (name.empty() || name.find('/') != std::string::npos || name.front() == '.')
      refuse(cat("linux.resources.unified: ", quoted(name), " is no file of a cgroup"));
    check_text(value, "linux.resources.unified");
  }
  for (const auto& [name, text] : resources.unknown) {
    if (name == "network" || name == "rdma") {
      unsupported(cat("linux.resources.", name, " is not supported"));
    }
  }
  if (!resources.cpu) return;
  for (const std::string& list : {resources.cpu->cpus, resources.cpu->mems}) {
    if (list.find_first_not_of("0123456789,-") != std::string::npos)
      refuse(cat("linux.resources.cpu: ", quoted(list), " is no list of numbers"));
  }
}

void check_hooks(const std::vector<Hook>& hooks, std::string_view what) {
  check_count(hooks.size(), kMaxPaths, what);
  for (const Hook& hook : hooks) {
    check_absolute(hook.path, cat(what, ": path"));
    if (hook.timeout && *hook.timeout == 0) refuse(cat(what, ": timeout must be above 0"));
    for (const std::string& text : hook.args) check_text(text, what);
    for (const std::string& text : hook.env) check_text(text, what);
  }
}

void check_seccomp(const SeccompRules& rules) {
  if (!rules.listener_path.empty() || !rules.listener_metadata.empty()) {
    unsupported("linux.seccomp.listenerPath is not supported");
  }
  (void)seccomp_flags(rules.flags);
}

void check_linux(const RuntimeConfig& config) {
  constexpr std::array<std::string_view, 10> kPropagations = {
      "",       "slave",    "private", "shared",      "unbindable",
      "rslave", "rprivate", "rshared", "runbindable", "none"};
  check_namespaces(config);
  check_sysctl(config);
  check_devices(config);
  check_text(config.cgroups_path, "linux.cgroupsPath");
  if (config.resources) check_resources(*config.resources);
  if (config.seccomp) check_seccomp(*config.seccomp);
  if (std::find(kPropagations.begin(), kPropagations.end(), config.rootfs_propagation) ==
      kPropagations.end()) {
    refuse(cat("linux.rootfsPropagation: no propagation ", quoted(config.rootfs_propagation)));
  }
  check_paths(config.masked_paths, "linux.maskedPaths: masked path");
  check_paths(config.readonly_paths, "linux.readonlyPaths: read-only path");
  if (config.personality && config.personality->domain != "LINUX" &&
      config.personality->domain != "LINUX32") {
    refuse(cat("linux.personality: no domain ", quoted(config.personality->domain)));
  }
  if (config.personality && !config.personality->flags.empty()) {
    unsupported("linux.personality.flags is not supported");
  }
  for (const char* name : {"intelRdt", "netDevices", "memoryPolicy"}) {
    if (config.unknown_linux.contains(name)) unsupported(cat("linux.", name, " is not supported"));
  }
}

}  // namespace

int rlimit_number(const std::string& type) {
  constexpr std::array<std::pair<std::string_view, int>, 16> kLimits = {
      {{"RLIMIT_AS", RLIMIT_AS},
       {"RLIMIT_CORE", RLIMIT_CORE},
       {"RLIMIT_CPU", RLIMIT_CPU},
       {"RLIMIT_DATA", RLIMIT_DATA},
       {"RLIMIT_FSIZE", RLIMIT_FSIZE},
       {"RLIMIT_LOCKS", RLIMIT_LOCKS},
       {"RLIMIT_MEMLOCK", RLIMIT_MEMLOCK},
       {"RLIMIT_MSGQUEUE", RLIMIT_MSGQUEUE},
       {"RLIMIT_NICE", RLIMIT_NICE},
       {"RLIMIT_NOFILE", RLIMIT_NOFILE},
       {"RLIMIT_NPROC", RLIMIT_NPROC},
       {"RLIMIT_RSS", RLIMIT_RSS},
       {"RLIMIT_RTPRIO", RLIMIT_RTPRIO},
       {"RLIMIT_RTTIME", RLIMIT_RTTIME},
       {"RLIMIT_SIGPENDING", RLIMIT_SIGPENDING},
       {"RLIMIT_STACK", RLIMIT_STACK}}};
  for (const auto& [name, number] : kLimits) {
    if (name == type) return number;
  }
  refuse(cat("process.rlimits: resource limit ", quoted(type), " is unknown"));
}

void validate_process(const Process& process) {
  if (process.args.empty() || process.args[0].empty()) refuse("process.args: no command is given");
  for (const std::string& arg : process.args) check_text(arg, "process.args: an argument");
  for (const std::string& variable : process.env) {
    check_text(variable, "process.env: an environment variable");
  }
  check_absolute(process.cwd, "process.cwd");
  if (process.user.uid == kNoId || process.user.gid == kNoId) {
    refuse("process.user: id 4294967295 is reserved");
  }
  check_count(process.user.additional_gids.size(), kMaxGroups, "process.user.additionalGids");
  for (const std::uint32_t gid : process.user.additional_gids) {
    if (gid == kNoId) refuse("process.user.additionalGids: 4294967295 is reserved");
  }
  if (process.user.umask.value_or(0) > 07777) {
    refuse("process.user.umask has bits that are no permissions");
  }
  check_capabilities(process.capabilities);
  std::set<std::string> seen;
  for (const Rlimit& limit : process.rlimits) {
    (void)rlimit_number(limit.type);
    if (!seen.insert(limit.type).second) refuse(cat("process.rlimits: ", limit.type, " twice"));
    if (limit.soft > limit.hard) {
      refuse(cat("process.rlimits: ", limit.type, ": soft limit above the hard one"));
    }
  }
  const std::int32_t score = process.oom_score_adj.value_or(0);
  if (score < -1000 || score > 1000) refuse("process.oomScoreAdj is not from -1000 to 1000");
}

void validate(const RuntimeConfig& config) {
  validate_process(config.process);
  check_root(config.root);
  if (config.hostname.size() > kMaxHostname) refuse("hostname is longer than 64 bytes");
  if (config.domainname.size() > kMaxHostname) refuse("domainname is longer than 64 bytes");
  check_text(config.hostname, "hostname");
  check_text(config.domainname, "domainname");
  check_count(config.mounts.size(), kMaxMounts, "mounts");
  for (const Mount& mount : config.mounts) check_mount(mount);
  check_hooks(config.hooks.prestart, "hooks.prestart");
  check_hooks(config.hooks.create_runtime, "hooks.createRuntime");
  check_hooks(config.hooks.create_container, "hooks.createContainer");
  check_hooks(config.hooks.start_container, "hooks.startContainer");
  check_hooks(config.hooks.poststart, "hooks.poststart");
  check_hooks(config.hooks.poststop, "hooks.poststop");
  check_linux(config);
  const auto mount = config.namespaces.find(Namespace::mount);
  if (mount == config.namespaces.end() || !mount->second.empty()) {
    unsupported("linux.namespaces: without its own mount namespace");
  }
}

void validate_step(const RuntimeConfig& config) {
  validate_hosted_step(config);
  if (config.hooks != Hooks{})
    unsupported("hooks: a step of the built-in runner has none, those of --runtime do");
}

void validate_hosted_step(const RuntimeConfig& config) {
  validate(config);
  const auto pid = config.namespaces.find(Namespace::pid);
  if (pid == config.namespaces.end() || !pid->second.empty()) {
    unsupported("linux.namespaces: without its own mount and pid namespaces");
  }
}

}  // namespace lade::sandbox
