#include "libimage/sandbox/mounts.h"

#include <cerrno>
#include <string>
#include <string_view>

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/io/path.h"
#include "libimage/sandbox/devices.h"
#include "libimage/sandbox/mount_call.h"
#include "libimage/sandbox/tree_copy_up.h"

namespace lade::sandbox {
namespace {

/// proc and sysfs go on real directories only: behind a link of the image, checks of their paths
/// would look elsewhere (CVE-2019-19921).
void refuse_link(const Mount& mount, const DirFd& root) {
  const UniqueFd entry = try_open_in_root(root, mount.destination, O_PATH | O_NOFOLLOW);
  if (!entry) return;
  struct stat found {};
  if (::fstat(entry.get(), &found) != 0) throw_errno("stat");
  if (!S_ISDIR(found.st_mode)) {
    throw Error(Errc::denied, "is not a directory in the image");
  }
}

void refuse_root(int target, const DirFd& root) {
  struct stat there {};
  struct stat top {};
  if (::fstat(target, &there) != 0 || ::fstat(root.get(), &top) != 0) throw_errno("stat");
  if (there.st_ino == top.st_ino && there.st_dev == top.st_dev) {
    throw Error(Errc::denied, "the destination is the root itself");
  }
}

bool is_directory(int fd) {
  struct stat found {};
  if (::fstat(fd, &found) != 0) throw_errno("stat");
  return S_ISDIR(found.st_mode);
}

/// A user namespace that does not own the network has no sysfs of its own: the host's, read-only.
UniqueFd host_sys(const MountOptions& options) {
  const UniqueFd sys(::open("/sys", O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!sys) throw_errno("open the host's");
  UniqueFd tree = clone_mount(sys.get(), Depth::with_mounts_below);
  MountOptions readonly = options;
  readonly.below.set |= MOUNT_ATTR_RDONLY;
  set_attributes(tree.get(), readonly, Depth::with_mounts_below, MS_PRIVATE);
  return tree;
}

/// What is mounted for `mount`, detached; of a bind there is a tree already. Terminals have a group
/// of their own, unless the user namespace has no such id.
UniqueFd made_mount(const RuntimeConfig& config, const Mount& mount, const MountOptions& options) {
  MountOptions with_label = options;
  if (!config.mount_label.empty() && (mount.type == "tmpfs" || mount.type == "mqueue")) {
    with_label.data.emplace_back("context", cat("\"", config.mount_label, "\""));
  }
  try {
    return new_mount(mount.type, mount.source, with_label);
  } catch (const Error& e) {
    const auto* detail = std::get_if<ErrnoDetail>(&e.detail());
    const int error = detail != nullptr ? detail->value : 0;
    if (error == EPERM && mount.type == "sysfs") return host_sys(options);
    if (error == EINVAL && mount.type == "devpts") {
      std::erase_if(with_label.data, [](const auto& option) { return option.first == "gid"; });
      return new_mount(mount.type, mount.source, with_label);
    }
    throw;
  }
}

void mount_one(const RuntimeConfig& config, const Mount& mount, int bind_tree,
               MountPoints& points) {
  using Kind = MountPoints::Kind;
  const DirFd& root = points.root();
  if (mount.type == "proc" || mount.type == "sysfs") refuse_link(mount, root);
  const MountOptions options = parse_mount_options(mount);
  UniqueFd made;
  if (bind_tree < 0) made = made_mount(config, mount, options);
  const int tree = bind_tree >= 0 ? bind_tree : made.get();
  const UniqueFd target =
      points.open(mount.destination, is_directory(tree) ? Kind::directory : Kind::file,
                  MountPoints::Keep::until_unmade);
  refuse_root(target.get(), root);
  if (options.copies_up) copy_tree_up(target.get(), tree);
  attach(tree, target.get());
  MountOptions shared;
  if (bind_tree < 0) shared.below = options.below;
  set_attributes(tree, shared,
                 options.propagates_below ? Depth::with_mounts_below : Depth::this_mount,
                 options.propagation == MS_PRIVATE ? 0U : options.propagation);
}

/// The container's own /dev/null, which nothing but the set-up can have put there.
UniqueFd open_null(const DirFd& root) {
  UniqueFd null = open_in_root(root, "dev/null", O_PATH | O_NOFOLLOW);
  struct stat found {};
  if (::fstat(null.get(), &found) != 0) throw_errno("stat /dev/null");
  if (!S_ISCHR(found.st_mode) || found.st_rdev != makedev(1, 3)) {
    throw Error(Errc::denied, "/dev/null is not the null device");
  }
  return null;
}

void mask(const DirFd& root, const std::string& path) {
  const UniqueFd target = try_open_in_root(root, path, O_PATH);
  if (!target && (errno == ENOENT || errno == ENOTDIR)) return;
  if (!target) throw_errno("open");
  if (is_directory(target.get())) {
    const MountOptions nothing{.set = MOUNT_ATTR_RDONLY};
    return attach(new_mount("tmpfs", "tmpfs", nothing).get(), target.get());
  }
  attach(clone_mount(open_null(root).get(), Depth::this_mount).get(), target.get());
}

void make_readonly(const DirFd& root, const std::string& path) {
  const UniqueFd target = try_open_in_root(root, path, O_PATH);
  if (!target && (errno == ENOENT || errno == ENOTDIR)) return;
  if (!target) throw_errno("open");
  const UniqueFd tree = clone_mount(target.get(), Depth::with_mounts_below);
  MountOptions readonly;
  readonly.below.set = MOUNT_ATTR_RDONLY;
  set_attributes(tree.get(), readonly, Depth::with_mounts_below, 0);
  attach(tree.get(), target.get());
}

}  // namespace

void attach_root(const DirFd& tree, const std::string& place) {
  if (::move_mount(tree.get(), "", AT_FDCWD, place.c_str(), MOVE_MOUNT_F_EMPTY_PATH) != 0) {
    throw_errno("attach root");
  }
}

void enter_root(const DirFd& tree) {
  if (::fchdir(tree.get()) != 0) throw_errno("enter root");
  if (::syscall(SYS_pivot_root, ".", ".") != 0) throw_errno("pivot root");
  if (::umount2(".", MNT_DETACH) != 0) throw_errno("detach the old root");
  // "/.." leads to whatever lies over the root: the host's tree, were it still there.
  struct stat root {};
  struct stat above {};
  if (::fstat(tree.get(), &root) != 0 || ::stat("/..", &above) != 0) throw_errno("stat root");
  if (root.st_dev != above.st_dev || root.st_ino != above.st_ino) {
    throw Error(Errc::denied, "enter root: the old one is still over it");
  }
  if (::chdir("/") != 0) throw_errno("enter root");
}

void mount_all(const RuntimeConfig& config, const std::vector<int>& bind_trees,
               MountPoints& points) {
  for (std::size_t i = 0; i < config.mounts.size(); ++i) {
    with_context([&] { return cat("mount ", quoted(config.mounts[i].destination)); },
                 [&] { mount_one(config, config.mounts[i], bind_trees.at(i), points); });
  }
  make_devices(config, points);
}

void restrict_paths(const DirFd& root, const std::vector<std::string>& masked,
                    const std::vector<std::string>& readonly) {
  for (const std::string& path : readonly) {
    with_context([&] { return cat("make ", quoted(path), " read-only"); },
                 [&] { make_readonly(root, path); });
  }
  for (const std::string& path : masked) {
    with_context([&] { return cat("mask ", quoted(path)); }, [&] { mask(root, path); });
  }
}

void set_access(const DirFd& root, Access access) {
  MountOptions options;
  (access == Access::read_only ? options.set : options.clear) = MOUNT_ATTR_RDONLY;
  with_context([] { return "set the root's access"; },
               [&] { set_attributes(root.get(), options, Depth::this_mount, 0); });
}

}  // namespace lade::sandbox
