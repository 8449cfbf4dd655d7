#include "libimage/sandbox/mounts.h"

#include <array>
#include <cerrno>
#include <charconv>
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
#include "libimage/io/stream.h"
#include "libimage/sandbox/overlay_root.h"

namespace lade::sandbox {
namespace {

void attach(int tree, int target) {
  if (::move_mount(tree, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) != 0) {
    throw_errno("attach mount");
  }
}

/// `source` is what /proc/mounts shows as the device.
UniqueFd new_mount(const std::string& type, const std::string& source,
                   const MountOptions& options) {
  const UniqueFd context(::fsopen(type.c_str(), FSOPEN_CLOEXEC));
  if (!context) throw_errno("open file system");
  const std::string& shown = source.empty() ? type : source;
  (void)::fsconfig(context.get(), FSCONFIG_SET_STRING, "source", shown.c_str(), 0);
  for (const auto& [key, value] : options.data) {
    if (::fsconfig(context.get(), FSCONFIG_SET_STRING, key.c_str(), value.c_str(), 0) != 0) {
      throw_errno(cat("set option ", quoted(key)));
    }
  }
  if (::fsconfig(context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) != 0) {
    throw_errno("create file system");
  }
  UniqueFd tree(::fsmount(context.get(), FSMOUNT_CLOEXEC, static_cast<unsigned>(options.set)));
  if (!tree) throw_errno("mount file system");
  return tree;
}

struct Device {
  const char* name;
  unsigned major;
  unsigned minor;
};
constexpr std::array<Device, 6> kDevices = {{{"null", 1, 3},
                                             {"zero", 1, 5},
                                             {"full", 1, 7},
                                             {"random", 1, 8},
                                             {"urandom", 1, 9},
                                             {"tty", 5, 0}}};
constexpr std::array<std::pair<const char*, const char*>, 5> kLinks = {
    {{"/proc/self/fd", "fd"},
     {"/proc/self/fd/0", "stdin"},
     {"/proc/self/fd/1", "stdout"},
     {"/proc/self/fd/2", "stderr"},
     {"pts/ptmx", "ptmx"}}};

/// runtime-spec config-linux.md, "Default Devices" and "/dev symbolic links".
void populate_dev(int dev) {
  for (const Device& device : kDevices) {
    if (::mknodat(dev, device.name, S_IFCHR | 0666, makedev(device.major, device.minor)) != 0) {
      throw_errno(cat("create device ", device.name));
    }
  }
  for (const auto& [target, name] : kLinks) {
    if (::symlinkat(target, dev, name) != 0) throw_errno(cat("create link ", name));
  }
}

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

void mount_one(const Mount& mount, int bind_tree, const DirFd& root, MountPoints& points) {
  using Kind = MountPoints::Kind;
  const bool bind = bind_tree >= 0;
  if (mount.type == "proc" || mount.type == "sysfs") refuse_link(mount, root);
  UniqueFd made;
  if (!bind) made = new_mount(mount.type, mount.source, parse_mount_options(mount));
  const int tree = bind ? bind_tree : made.get();
  const UniqueFd target =
      points.open(mount.destination, is_directory(tree) ? Kind::directory : Kind::file,
                  MountPoints::Keep::until_unmade);
  refuse_root(target.get(), root);
  attach(tree, target.get());
  if (mount.type == "tmpfs" && clean_path(mount.destination) == "dev") populate_dev(tree);
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
    const MountOptions nothing{
        MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC, 0, false, {}};
    return attach(new_mount("tmpfs", "tmpfs", nothing).get(), target.get());
  }
  const UniqueFd null = open_null(root);
  const UniqueFd tree(
      ::open_tree(null.get(), "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH));
  if (!tree) throw_errno("clone /dev/null");
  attach(tree.get(), target.get());
}

void make_readonly(const DirFd& root, const std::string& path) {
  const UniqueFd target = try_open_in_root(root, path, O_PATH);
  if (!target && (errno == ENOENT || errno == ENOTDIR)) return;
  if (!target) throw_errno("open");
  const UniqueFd tree(::open_tree(
      target.get(), "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | AT_RECURSIVE));
  if (!tree) throw_errno("clone");
  mount_attr readonly{};
  readonly.attr_set = MOUNT_ATTR_RDONLY;
  if (::mount_setattr(tree.get(), "", AT_EMPTY_PATH | AT_RECURSIVE, &readonly, sizeof readonly) !=
      0) {
    throw_errno("set read-only");
  }
  attach(tree.get(), target.get());
}

/// False with errno set. Devices come from /dev alone, unless the caller says otherwise.
bool make_private(const UniqueFd& tree, const MountOptions& options, unsigned recursive) {
  mount_attr attributes{};
  attributes.attr_set = options.set;
  attributes.attr_clr = options.clear;
  if ((options.clear & MOUNT_ATTR_NODEV) == 0) attributes.attr_set |= MOUNT_ATTR_NODEV;
  attributes.propagation = MS_PRIVATE;
  return ::mount_setattr(tree.get(), "", AT_EMPTY_PATH | recursive, &attributes,
                         sizeof attributes) == 0;
}

/// `path` inside the root of the detached mount `tree`, which is attached at `place` first: a piece
/// can be cloned only from a mount that is somewhere in this namespace.
UniqueFd attached_piece(const DirFd& tree, const std::string& place, const std::string& path) {
  const UniqueFd target(::open(place.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!target) throw_errno(cat("open ", quoted(place)));
  attach(tree.get(), target.get());
  return open_in_root(tree, path, O_PATH);
}

UniqueFd private_copy(const UniqueFd& piece, const MountOptions& options) {
  UniqueFd tree(::open_tree(piece.get(), "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH));
  if (!tree) throw_errno("take a piece");
  if (!make_private(tree, options, 0)) throw_errno("set its attributes");
  return tree;
}

}  // namespace

UniqueFd open_bind_source(const Mount& mount) {
  const MountOptions options = parse_mount_options(mount);
  const unsigned recursive = options.recursive ? AT_RECURSIVE : 0U;
  const unsigned flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | recursive;
  UniqueFd tree;
  if (mount.source.rfind("fd:", 0) == 0) {
    const auto number = parse_decimal(std::string_view(mount.source).substr(3));
    if (!number || *number > 1'000'000'000) {
      throw Error(Errc::invalid_argument, cat("mount ", quoted(mount.destination), ": source ",
                                              quoted(mount.source), " is no descriptor"));
    }
    tree.reset(::open_tree(static_cast<int>(*number), "", flags | AT_EMPTY_PATH));
  } else {
    tree.reset(::open_tree(AT_FDCWD, mount.source.c_str(), flags));
  }
  const auto context = [&] {
    return cat("mount ", quoted(mount.destination), ": open source ", quoted(mount.source));
  };
  if (!tree) throw_errno(context());
  if (!make_private(tree, options, recursive)) throw_errno(context());
  return tree;
}

UniqueFd open_overlay_source(const Mount& mount) {
  const OverlayRoot& overlay = *mount.overlay;
  return with_context([&] { return cat("mount ", quoted(mount.destination), ": overlay"); },
                      [&] {
                        const MountedRoot mounted = mount_overlay(overlay);
                        const UniqueFd piece = attached_piece(
                            mounted.tree, overlay.upper, mount.source.empty() ? "." : mount.source);
                        return private_copy(piece, parse_mount_options(mount));
                      });
}

UniqueFd open_content_source(const Mount& mount) {
  constexpr const char* kName = "content";
  return with_context(
      [&] { return cat("mount ", quoted(mount.destination), ": content"); },
      [&] {
        const MountOptions options = parse_mount_options(mount);
        const auto number = [&](std::string_view key, int base, unsigned otherwise) {
          for (const auto& [name, value] : options.data) {
            unsigned parsed = 0;
            const char* const end = value.data() + value.size();
            if (name != key) continue;
            if (std::from_chars(value.data(), end, parsed, base).ptr != end || value.empty())
              throw Error(Errc::invalid_argument, cat(key, " ", quoted(value), " is no number"));
            return parsed;
          }
          return otherwise;
        };
        const MountOptions place{MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, 0, false, {{"mode", "700"}}};
        const DirFd memory(new_mount("tmpfs", "tmpfs", place));
        {
          const UniqueFd file =
              open_entry(memory, kName, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
          FdSink(file.get(), "content").write(bytes_of(mount.content));
          if (::fchown(file.get(), number("uid", 10, 0), number("gid", 10, 0)) != 0 ||
              ::fchmod(file.get(), number("mode", 8, 0400)) != 0) {
            throw_errno("set owner and mode");
          }
        }
        return private_copy(attached_piece(memory, "/", kName), options);
      });
}

void enter_root(const DirFd& tree) {
  if (::move_mount(tree.get(), "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH) != 0) {
    throw_errno("attach root");
  }
  if (::fchdir(tree.get()) != 0) throw_errno("enter root");
  if (::syscall(SYS_pivot_root, ".", ".") != 0) throw_errno("pivot root");
  if (::umount2(".", MNT_DETACH) != 0) throw_errno("detach the old root");
  if (::chdir("/") != 0) throw_errno("enter root");
}

void mount_all(const std::vector<Mount>& mounts, const std::vector<int>& bind_trees,
               MountPoints& points) {
  for (std::size_t i = 0; i < mounts.size(); ++i) {
    with_context([&] { return cat("mount ", quoted(mounts[i].destination)); },
                 [&] { mount_one(mounts[i], bind_trees.at(i), points.root(), points); });
  }
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
  mount_attr attributes{};
  (access == Access::read_only ? attributes.attr_set : attributes.attr_clr) = MOUNT_ATTR_RDONLY;
  if (::mount_setattr(root.get(), "", AT_EMPTY_PATH, &attributes, sizeof attributes) != 0) {
    throw_errno("set the root's access");
  }
}

}  // namespace lade::sandbox
