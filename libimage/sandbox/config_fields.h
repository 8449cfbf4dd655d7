/// The members of config.json, each named once: readers and writers of JSON and of the re-executed
/// step's specification walk over these lists. A visitor has need() for a member that must be
/// given, may() for one that is left out while it has the value of its type's beginning, object()
/// for an object whose members are ours, own() for what the specification does not have, and rest()
/// for members that nobody knows.
#pragma once
#include "libimage/sandbox/runtime_config.h"

namespace lade::sandbox {

template <typename V>
void fields(V& v, User& x) {
  v.need("uid", x.uid);
  v.need("gid", x.gid);
  v.may("umask", x.umask);
  v.may("additionalGids", x.additional_gids);
}

template <typename V>
void fields(V& v, Rlimit& x) {
  v.need("type", x.type);
  v.need("soft", x.soft);
  v.need("hard", x.hard);
}

template <typename V>
void fields(V& v, CapabilitySets& x) {
  v.may("bounding", x.bounding);
  v.may("effective", x.effective);
  v.may("inheritable", x.inheritable);
  v.may("permitted", x.permitted);
  v.may("ambient", x.ambient);
}

template <typename V>
void fields(V& v, ConsoleSize& x) {
  v.need("height", x.height);
  v.need("width", x.width);
}

template <typename V>
void fields(V& v, Process& x) {
  v.may("terminal", x.terminal);
  v.may("consoleSize", x.console_size);
  v.need("user", x.user);
  v.may("args", x.args);
  v.may("env", x.env);
  v.need("cwd", x.cwd);
  v.may("capabilities", x.capabilities);
  v.may("rlimits", x.rlimits);
  v.may("noNewPrivileges", x.no_new_privileges);
  v.may("oomScoreAdj", x.oom_score_adj);
  v.may("apparmorProfile", x.apparmor_profile);
  v.may("selinuxLabel", x.selinux_label);
  v.rest(x.unknown);
}

template <typename V>
void fields(V& v, OverlayRoot& x) {
  v.own(x.lower);
  v.own(x.upper);
  v.own(x.work);
}

template <typename V>
void fields(V& v, IdMapping& x) {
  v.need("containerID", x.container_id);
  v.need("hostID", x.host_id);
  v.need("size", x.size);
}

template <typename V>
void fields(V& v, Mount& x) {
  v.need("destination", x.destination);
  v.may("type", x.type);
  v.may("source", x.source);
  v.may("options", x.options);
  v.may("uidMappings", x.uid_mappings);
  v.may("gidMappings", x.gid_mappings);
  v.own(x.overlay);
  v.own(x.content);
  v.rest(x.unknown);
}

template <typename V>
void fields(V& v, Root& x) {
  v.need("path", x.path);
  v.may("readonly", x.readonly);
  v.own(x.overlay);
  v.own(x.device_nodes);
}

template <typename V>
void fields(V& v, Hook& x) {
  v.need("path", x.path);
  v.may("args", x.args);
  v.may("env", x.env);
  v.may("timeout", x.timeout);
}

template <typename V>
void fields(V& v, Hooks& x) {
  v.may("prestart", x.prestart);
  v.may("createRuntime", x.create_runtime);
  v.may("createContainer", x.create_container);
  v.may("startContainer", x.start_container);
  v.may("poststart", x.poststart);
  v.may("poststop", x.poststop);
}

template <typename V>
void fields(V& v, Device& x) {
  v.need("path", x.path);
  v.need("type", x.type);
  v.may("major", x.major);
  v.may("minor", x.minor);
  v.may("fileMode", x.file_mode);
  v.may("uid", x.uid);
  v.may("gid", x.gid);
  v.own(x.host_path);
}

template <typename V>
void fields(V& v, DeviceRule& x) {
  v.need("allow", x.allow);
  v.may("type", x.type);
  v.may("major", x.major);
  v.may("minor", x.minor);
  v.may("access", x.access);
}

template <typename V>
void fields(V& v, MemoryLimits& x) {
  v.may("limit", x.limit);
  v.may("reservation", x.reservation);
  v.may("swap", x.swap);
  v.may("kernel", x.kernel);
  v.may("kernelTCP", x.kernel_tcp);
  v.may("swappiness", x.swappiness);
  v.may("disableOOMKiller", x.disable_oom_killer);
  v.may("useHierarchy", x.use_hierarchy);
  v.may("checkBeforeUpdate", x.check_before_update);
}

template <typename V>
void fields(V& v, CpuLimits& x) {
  v.may("shares", x.shares);
  v.may("quota", x.quota);
  v.may("burst", x.burst);
  v.may("period", x.period);
  v.may("realtimeRuntime", x.realtime_runtime);
  v.may("realtimePeriod", x.realtime_period);
  v.may("cpus", x.cpus);
  v.may("mems", x.mems);
  v.may("idle", x.idle);
}

template <typename V>
void fields(V& v, PidsLimit& x) {
  v.need("limit", x.limit);
}

template <typename V>
void fields(V& v, WeightDevice& x) {
  v.need("major", x.major);
  v.need("minor", x.minor);
  v.may("weight", x.weight);
  v.may("leafWeight", x.leaf_weight);
}

template <typename V>
void fields(V& v, ThrottleDevice& x) {
  v.need("major", x.major);
  v.need("minor", x.minor);
  v.need("rate", x.rate);
}

template <typename V>
void fields(V& v, BlockIoLimits& x) {
  v.may("weight", x.weight);
  v.may("leafWeight", x.leaf_weight);
  v.may("weightDevice", x.weight_devices);
  v.may("throttleReadBpsDevice", x.read_bps);
  v.may("throttleWriteBpsDevice", x.write_bps);
  v.may("throttleReadIOPSDevice", x.read_iops);
  v.may("throttleWriteIOPSDevice", x.write_iops);
}

template <typename V>
void fields(V& v, HugepageLimit& x) {
  v.need("pageSize", x.page_size);
  v.need("limit", x.limit);
}

template <typename V>
void fields(V& v, Resources& x) {
  v.may("devices", x.devices);
  v.may("memory", x.memory);
  v.may("cpu", x.cpu);
  v.may("pids", x.pids);
  v.may("blockIO", x.block_io);
  v.may("hugepageLimits", x.hugepage_limits);
  v.may("unified", x.unified);
  v.rest(x.unknown);
}

template <typename V>
void fields(V& v, Personality& x) {
  v.need("domain", x.domain);
  v.may("flags", x.flags);
}

template <typename V>
void fields(V& v, TimeOffset& x) {
  v.may("secs", x.seconds);
  v.may("nanosecs", x.nanoseconds);
}

template <typename V>
void fields(V& v, SeccompArgument& x) {
  v.need("index", x.index);
  v.need("value", x.value);
  v.may("valueTwo", x.value_two);
  v.need("op", x.compare);
}

template <typename V>
void fields(V& v, SeccompRule& x) {
  v.need("names", x.names);
  v.need("action", x.action);
  v.may("errnoRet", x.error);
  v.may("args", x.arguments);
}

template <typename V>
void fields(V& v, SeccompRules& x) {
  v.need("defaultAction", x.default_action);
  v.may("defaultErrnoRet", x.default_error);
  v.may("architectures", x.architectures);
  v.may("flags", x.flags);
  v.may("listenerPath", x.listener_path);
  v.may("listenerMetadata", x.listener_metadata);
  v.may("syscalls", x.rules);
}

template <typename V>
void fields(V& v, RuntimeConfig& x) {
  v.need("ociVersion", x.oci_version);
  v.may("process", x.process);
  v.may("root", x.root);
  v.may("hostname", x.hostname);
  v.may("domainname", x.domainname);
  v.may("mounts", x.mounts);
  v.may("hooks", x.hooks);
  v.may("annotations", x.annotations);
  v.object("linux", [&](auto& linux_) {
    linux_.may("uidMappings", x.uid_mappings);
    linux_.may("gidMappings", x.gid_mappings);
    linux_.may("timeOffsets", x.time_offsets);
    linux_.may("sysctl", x.sysctl);
    linux_.may("resources", x.resources);
    linux_.may("cgroupsPath", x.cgroups_path);
    linux_.may("namespaces", x.namespaces);
    linux_.may("devices", x.devices);
    linux_.may("seccomp", x.seccomp);
    linux_.may("rootfsPropagation", x.rootfs_propagation);
    linux_.may("maskedPaths", x.masked_paths);
    linux_.may("readonlyPaths", x.readonly_paths);
    linux_.may("mountLabel", x.mount_label);
    linux_.may("personality", x.personality);
    linux_.rest(x.unknown_linux);
  });
  v.rest(x.unknown);
}

}  // namespace lade::sandbox
