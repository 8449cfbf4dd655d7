#include "libimage/layer/set_attributes.h"

#include <cerrno>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/io/path.h"

namespace lade {
namespace {

struct Times {
  explicit Times(const Timestamp& mtime) {
    values[0].tv_nsec = UTIME_OMIT;
    values[1].tv_sec = mtime.seconds;
    values[1].tv_nsec = static_cast<long>(mtime.nanoseconds);
  }
  struct timespec values[2] = {};
};

void check(int result, std::string_view operation) {
  if (result != 0) throw_errno(operation);
}

/// After a change of owner that ended with `result`, of the file that `path` names. Links and pipes
/// can keep no owner that this user namespace has not.
void check_owner(int result, const std::string& path, const Attributes& attributes, Rights rights) {
  if (result == 0) return;
  if (errno != EINVAL) throw_errno("set owner");
  if (rights != Rights::kept)
    throw Error(Errc::denied, cat("set owner ", attributes.uid, ":", attributes.gid,
                                  ": this user namespace has no such ID (more come from "
                                  "/etc/subuid and /etc/subgid: newuidmap, 'podman unshare')"));
  const bool can_keep =
      attributes.type == FileType::regular || attributes.type == FileType::directory;
  if (!can_keep) return;
  const std::string owner = kept_owner_text({attributes.uid, attributes.gid});
  if (::setxattr(path.c_str(), kOwnerXattr, owner.data(), owner.size(), 0) != 0)
    throw_errno(cat("keep owner ", owner, ", which this user namespace has not"));
}

}  // namespace

void set_mtime(int fd, const Timestamp& mtime) {
  const Times times(mtime);
  if (::utimensat(fd, "", times.values, AT_EMPTY_PATH) == 0) return;
  if (errno != EINVAL) throw_errno("set modification time");
  // Linux before 5.8 knows no AT_EMPTY_PATH here.
  check(::utimensat(AT_FDCWD, proc_path(fd).c_str(), times.values, 0), "set modification time");
}

void set_file_attributes(int fd, const Attributes& attributes, Rights rights) {
  if (sets_owners(rights))
    check_owner(::fchown(fd, attributes.uid, attributes.gid), proc_path(fd), attributes, rights);
  if (!attributes.xattrs.empty())
    set_xattrs(proc_path(fd), Named::by_descriptor, attributes.xattrs, rights);
  check(::fchmod(fd, attributes.mode), "set mode");
  const Times times(attributes.mtime);
  check(::futimens(fd, times.values), "set modification time");
}

void set_node_attributes(int fd, const Attributes& attributes, Rights rights,
                         OldXattrs old_xattrs) {
  const std::string path = proc_path(fd);
  if (sets_owners(rights)) {
    // An owner that was kept for what was there before would go on.
    if (old_xattrs == OldXattrs::replace) (void)::removexattr(path.c_str(), kOwnerXattr);
    check_owner(::fchownat(fd, "", attributes.uid, attributes.gid, AT_EMPTY_PATH), path, attributes,
                rights);
  }
  check(::chmod(path.c_str(), attributes.mode), "set mode");
  if (old_xattrs == OldXattrs::replace) {
    replace_xattrs(path, Named::by_descriptor, attributes.xattrs, rights);
  } else if (!attributes.xattrs.empty()) {
    set_xattrs(path, Named::by_descriptor, attributes.xattrs, rights);
  }
  set_mtime(fd, attributes.mtime);
}

void set_link_attributes(const DirFd& dir, const std::string& name, const Attributes& attributes,
                         Rights rights) {
  if (sets_owners(rights)) {
    check_owner(
        ::fchownat(dir.get(), name.c_str(), attributes.uid, attributes.gid, AT_SYMLINK_NOFOLLOW),
        name, attributes, rights);
  }
  if (!attributes.xattrs.empty()) {
    set_xattrs(cat(proc_path(dir.get()), "/", name), Named::by_entry, attributes.xattrs, rights);
  }
  const Times times(attributes.mtime);
  check(::utimensat(dir.get(), name.c_str(), times.values, AT_SYMLINK_NOFOLLOW),
        "set modification time");
}

void set_opaque(int fd, Rights rights) {
  const std::string path = proc_path(fd);
  if (sets_owners(rights)) {
    if (::setxattr(path.c_str(), "trusted.overlay.opaque", "y", 1, 0) == 0) return;
    // Root of a user namespace may not; overlayfs is mounted there with userxattr.
    if (errno != EPERM) throw_errno("mark directory as opaque");
  }
  check(::setxattr(path.c_str(), "user.overlay.opaque", "y", 1, 0), "mark directory as opaque");
}

}  // namespace lade
