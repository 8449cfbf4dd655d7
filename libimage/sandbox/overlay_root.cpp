#include "libimage/sandbox/overlay_root.h"

#include <array>
#include <cerrno>
#include <string_view>
#include <vector>

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/io/path.h"
#include "libimage/sandbox/user_namespace.h"

namespace lade::sandbox {
namespace {

// Root of a user namespace may not set "trusted." attributes; this takes "user." ones instead, and
// refuses to hear of renames.
constexpr const char* kUserAttributes = "userxattr";
constexpr std::string_view kRenames = "redirect_dir";

// Nothing that would make the upper directory more than what the step changed: no copies without
// content, no renames by reference.
constexpr std::array<std::pair<const char*, const char*>, 4> kOptions = {
    {{"index", "off"}, {"xino", "off"}, {"metacopy", "off"}, {"redirect_dir", "off"}}};

UniqueFd open_layer(const std::string& path) {
  UniqueFd dir(::open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!dir) throw_errno(cat("open layer directory ", quoted(path)));
  return dir;
}

/// Short names for the kernel, whatever the length of the paths.
struct Layers {
  std::vector<UniqueFd> lower;
  UniqueFd upper;
  UniqueFd work;
};

Layers open_layers(const OverlayRoot& overlay) {
  Layers layers;
  for (const std::string& path : overlay.lower) layers.lower.push_back(open_layer(path));
  layers.upper = open_layer(overlay.upper);
  layers.work = open_layer(overlay.work);
  return layers;
}

/// What the file system says of its last failure (fsopen(2)), with errno's text before it.
[[noreturn]] void throw_mount_error(int context, std::string_view operation) {
  const int error = errno;
  std::array<char, 512> log{};
  const ssize_t size = ::read(context, log.data(), log.size());
  const std::string_view said =
      trimmed({log.data(), size > 0 ? static_cast<std::size_t>(size) : std::size_t{0}});
  if (said.empty()) throw_errno(operation, error);
  throw_errno(cat(operation, " (", printable(said), ")"), error);
}

DirFd mount_layer_by_layer(const Layers& layers) {
  const UniqueFd context(::fsopen("overlay", FSOPEN_CLOEXEC));
  if (!context) throw_errno("open overlay file system");
  const auto set = [&](const char* key, const std::string& value) {
    return ::fsconfig(context.get(), FSCONFIG_SET_STRING, key, value.c_str(), 0) == 0;
  };
  (void)set("source", "overlay");
  for (const UniqueFd& lower : layers.lower) {
    if (!set("lowerdir+", proc_path(lower.get()))) {
      throw_mount_error(context.get(), "add lower directory to overlay");
    }
  }
  if (!set("upperdir", proc_path(layers.upper.get())) ||
      !set("workdir", proc_path(layers.work.get()))) {
    throw_mount_error(context.get(), "add upper directory to overlay");
  }
  const bool in_namespace = in_user_namespace();
  for (const auto& [key, value] : kOptions) {
    if (!in_namespace || key != kRenames) (void)set(key, value);  // unknown: not compiled in
  }
  if (in_namespace &&
      ::fsconfig(context.get(), FSCONFIG_SET_FLAG, kUserAttributes, nullptr, 0) != 0)
    throw_mount_error(context.get(), "set overlay option 'userxattr'");
  // Nothing of a step is durable before its layer is committed, so that syncing the whole file
  // system at unmount would be time lost.
  (void)::fsconfig(context.get(), FSCONFIG_SET_FLAG, "volatile", nullptr, 0);
  if (::fsconfig(context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) != 0) {
    throw_mount_error(context.get(), "create overlay");
  }
  DirFd tree(::fsmount(context.get(), FSMOUNT_CLOEXEC, 0));
  if (!tree) throw_mount_error(context.get(), "mount overlay");
  return tree;
}

DirFd mount_by_one_page(const Layers& layers, const std::string& mount_point) {
  std::string data = "lowerdir=";
  for (const UniqueFd& lower : layers.lower) {
    if (data.back() != '=') data += ':';
    data += cat(lower.get());
  }
  data += cat(",upperdir=", layers.upper.get(), ",workdir=", layers.work.get());
  const bool in_namespace = in_user_namespace();
  for (const auto& [key, value] : kOptions) {
    if (!in_namespace || key != kRenames) data += cat(",", key, "=", value);
  }
  if (in_namespace) data += cat(",", kUserAttributes);
  if (::chdir("/proc/self/fd") != 0) throw_errno("open /proc/self/fd");  // the names are relative
  const std::string fast = cat(data, ",volatile");
  if (::mount("overlay", mount_point.c_str(), "overlay", 0, fast.c_str()) != 0 &&
      ::mount("overlay", mount_point.c_str(), "overlay", 0, data.c_str()) != 0) {
    throw_errno("mount overlay");
  }
  DirFd tree(::open_tree(AT_FDCWD, mount_point.c_str(), OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC));
  if (!tree) throw_errno("open overlay");
  if (::umount2(mount_point.c_str(), MNT_DETACH) != 0) throw_errno("detach overlay");
  return tree;
}

/// Attributes besides overlayfs' own and the security label, which says nothing of the step.
bool has_own_attributes(const UniqueFd& dir) {
  std::array<char, 4096> names{};
  const ssize_t size = ::flistxattr(dir.get(), names.data(), names.size());
  if (size < 0) return errno != ENOTSUP;
  for (const std::string_view name : split({names.data(), static_cast<std::size_t>(size)}, '\0')) {
    if (name.empty() || name == "security.selinux") continue;
    std::string_view own = name;
    for (const std::string_view prefix : {"trusted.overlay.", "user.overlay."}) {
      if (name.starts_with(prefix)) own = name.substr(prefix.size());
    }
    if (own == "opaque" || own == name) return true;  // opaque: a new directory in its place
  }
  return false;
}

void remove_if_unchanged(const DirFd& upper, const CopiedUp& before) {
  const std::size_t slash = before.path.rfind('/');
  const std::string name = slash == std::string::npos ? before.path : before.path.substr(slash + 1);
  const UniqueFd parent =
      try_open_in_root(upper, slash == std::string::npos ? "." : before.path.substr(0, slash),
                       O_RDONLY | O_DIRECTORY);
  if (!parent) return;
  const UniqueFd dir(
      ::openat(parent.get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  struct stat now {};
  struct stat above {};
  if (!dir || ::fstat(dir.get(), &now) != 0 || ::fstat(parent.get(), &above) != 0) return;
  if (now.st_mode != before.mode || now.st_uid != before.uid || now.st_gid != before.gid ||
      now.st_mtim.tv_sec != before.mtime_seconds ||
      now.st_mtim.tv_nsec != before.mtime_nanoseconds || has_own_attributes(dir)) {
    return;
  }
  if (::unlinkat(parent.get(), name.c_str(), AT_REMOVEDIR) != 0) return;  // not empty: it stays
  const timespec times[2] = {{0, UTIME_OMIT}, above.st_mtim};
  (void)::futimens(parent.get(), times);
}

DirFd bind_directory(const std::string& path) {
  DirFd tree(
      ::open_tree(AT_FDCWD, path.c_str(), OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE));
  if (!tree) throw_errno(cat("open root ", quoted(path)));
  struct stat found {};
  if (::fstat(tree.get(), &found) != 0) throw_errno(cat("stat root ", quoted(path)));
  if (!S_ISDIR(found.st_mode)) throw_errno(cat("open root ", quoted(path)), ENOTDIR);
  return tree;
}

}  // namespace

MountedRoot mount_overlay(const OverlayRoot& overlay, OverlayCall call) {
  Layers layers = open_layers(overlay);
  DirFd tree = call == OverlayCall::layer_by_layer ? mount_layer_by_layer(layers)
                                                   : mount_by_one_page(layers, overlay.upper);
  return {std::move(tree), std::move(layers.upper)};
}

MountedRoot mount_overlay(const OverlayRoot& overlay) {
  try {
    return mount_overlay(overlay, OverlayCall::layer_by_layer);
  } catch (const Error& e) {
    const auto* detail = std::get_if<ErrnoDetail>(&e.detail());
    if (detail == nullptr || (detail->value != EINVAL && detail->value != ENOSYS)) throw;
    return mount_overlay(overlay, OverlayCall::one_page);  // a kernel before 6.7
  }
}

MountedRoot mount_root(const Root& root) {
  MountedRoot mounted = root.overlay ? mount_overlay(*root.overlay)
                                     : MountedRoot{bind_directory(root.path), UniqueFd()};
  // A device node in an image's layer would be the host's device; those of a step are in /dev.
  mount_attr attributes{};
  if (root.device_nodes == DeviceNodes::ineffective) attributes.attr_set = MOUNT_ATTR_NODEV;
  attributes.propagation = MS_PRIVATE;
  const unsigned how = AT_EMPTY_PATH | AT_RECURSIVE;
  if (::mount_setattr(mounted.tree.get(), "", how, &attributes, sizeof attributes) != 0) {
    throw_errno("make the root's device nodes ineffective");
  }
  return mounted;
}

void prepare_overlay(const OverlayRoot& overlay) {
  with_context([] { return "prepare overlay"; }, [&] { remove_contents(open_dir(overlay.work)); });
}

void tidy_overlay(const OverlayRoot& overlay, std::span<const CopiedUp> copied_up) {
  const DirFd upper = open_dir(overlay.upper);
  for (auto before = copied_up.rbegin(); before != copied_up.rend(); ++before) {
    remove_if_unchanged(upper, *before);
  }
  remove_contents(open_dir(overlay.work));
}

}  // namespace lade::sandbox
