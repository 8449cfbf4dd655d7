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
constexpr std::size_t kMaxPaths = 4096;    // masked and read-only paths
constexpr std::size_t kMaxLower = 500;     // overlayfs' own limit (OVL_MAX_STACK)
constexpr std::size_t kMaxHostname = 64;   // __NEW_UTS_LEN
constexpr std::size_t kMaxGroups = 65536;  // NGROUPS_MAX
constexpr std::uint32_t kNoId = std::numeric_limits<std::uint32_t>::max();  // (uid_t)-1: "keep"

[[noreturn]] void refuse(std::string_view message) {
  throw Error(Errc::invalid_argument, cat("step: ", message));
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

void check_process(const Process& process) {
  if (process.args.empty() || process.args[0].empty()) refuse("no command is given");
  for (const std::string& arg : process.args) check_text(arg, "an argument");
  for (const std::string& variable : process.env) check_text(variable, "an environment variable");
  check_absolute(process.cwd, "working directory");
  if (process.user.uid == kNoId || process.user.gid == kNoId) refuse("id 4294967295 is reserved");
  if (process.user.additional_gids.size() > kMaxGroups) refuse("too many additional groups");
  for (const std::uint32_t gid : process.user.additional_gids) {
    if (gid == kNoId) refuse("group id 4294967295 is reserved");
  }
  if (process.user.umask > 07777) refuse("umask has bits that are no permissions");
  (void)capability_mask(process.capabilities);
  for (const Rlimit& limit : process.rlimits) {
    (void)rlimit_number(limit.type);
    if (limit.soft > limit.hard) refuse(cat(limit.type, ": soft limit above the hard one"));
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
  if (!root.overlay) return check_text(root.path, "root path");
  check_overlay(*root.overlay);
}

void check_mount(const Mount& mount) {
  constexpr std::array<std::string_view, 8> kTypes = {"bind",   "tmpfs",  "proc",    "sysfs",
                                                      "devpts", "mqueue", "overlay", "content"};
  check_absolute(mount.destination, "mount destination");
  check_text(mount.source, "mount source");
  if (std::find(kTypes.begin(), kTypes.end(), mount.type) == kTypes.end()) {
    throw Error(Errc::unsupported, cat("step: mount ", quoted(mount.destination), ": type ",
                                       quoted(mount.type), " is not supported"));
  }
  if (mount.type == "bind" && mount.source.empty()) {
    refuse(cat("mount ", quoted(mount.destination), ": bind without a source"));
  }
  if ((mount.type == "overlay") != mount.overlay.has_value()) {
    refuse(cat("mount ", quoted(mount.destination), ": directories belong to an overlay alone"));
  }
  if (mount.type != "content" && !mount.content.empty()) {
    refuse(cat("mount ", quoted(mount.destination), ": its type holds no content"));
  }
  if (mount.overlay) check_overlay(*mount.overlay);
  for (const std::string& option : mount.options) check_text(option, "a mount option");
  (void)parse_mount_options(mount);
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
  refuse(cat("resource limit ", quoted(type), " is unknown"));
}

void validate(const RuntimeConfig& config) {
  check_process(config.process);
  check_root(config.root);
  if (config.hostname.size() > kMaxHostname) refuse("hostname is longer than 64 bytes");
  check_text(config.hostname, "hostname");
  if (config.mounts.size() > kMaxMounts) {
    throw Error(Errc::limit_exceeded, cat("step: more than ", kMaxMounts, " mounts"));
  }
  for (const Mount& mount : config.mounts) check_mount(mount);
  if (config.masked_paths.size() > kMaxPaths || config.readonly_paths.size() > kMaxPaths) {
    throw Error(Errc::limit_exceeded, "step: too many masked or read-only paths");
  }
  for (const std::string& path : config.masked_paths) check_absolute(path, "masked path");
  for (const std::string& path : config.readonly_paths) check_absolute(path, "read-only path");
  if (!config.namespaces.contains(Namespace::mount) ||
      !config.namespaces.contains(Namespace::pid)) {
    throw Error(Errc::unsupported, "step: without its own mount and pid namespaces");
  }
  if (config.namespaces.contains(Namespace::user)) {
    throw Error(Errc::unsupported, "step: user namespaces are not supported");
  }
}

}  // namespace lade::sandbox
