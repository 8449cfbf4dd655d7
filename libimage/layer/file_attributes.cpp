#include "libimage/layer/file_attributes.h"

#include <algorithm>
#include <cerrno>
#include <climits>
#include <memory>

#include <dirent.h>
#include <fcntl.h>
#include <sys/sysmacros.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/io/path.h"

namespace lade {
namespace {

std::optional<FileType> type_of(unsigned mode) noexcept {
  switch (mode & S_IFMT) {
    case S_IFREG:
      return FileType::regular;
    case S_IFDIR:
      return FileType::directory;
    case S_IFLNK:
      return FileType::symlink;
    case S_IFIFO:
      return FileType::fifo;
    case S_IFCHR:
      return FileType::character;
    case S_IFBLK:
      return FileType::block;
    default:
      return std::nullopt;
  }
}

Timestamp time_of(const struct statx_timestamp& time) noexcept {
  return {time.tv_sec, time.tv_nsec};
}

std::string link_target_of(const DirFd& dir, const std::string& name) {
  std::string target(PATH_MAX, '\0');
  const ssize_t got = ::readlinkat(dir.get(), name.c_str(), target.data(), target.size());
  if (got < 0) throw_errno(cat("read link ", quoted(name)));
  target.resize(static_cast<std::size_t>(got));
  return target;
}

/// Everything but the link's target and the xattrs.
FoundFile file_of(const struct statx& st, FileType type) noexcept {
  FoundFile file;
  Attributes& attributes = file.entry.attributes;
  attributes.type = type;
  attributes.mode = st.stx_mode & 07777U;
  attributes.uid = st.stx_uid;
  attributes.gid = st.stx_gid;
  attributes.size = type == FileType::regular ? st.stx_size : 0;
  attributes.mtime = time_of(st.stx_mtime);
  if (type == FileType::character || type == FileType::block) {
    attributes.device_major = st.stx_rdev_major;
    attributes.device_minor = st.stx_rdev_minor;
  }
  file.entry.inode = {::makedev(st.stx_dev_major, st.stx_dev_minor), st.stx_ino, st.stx_nlink,
                      time_of(st.stx_ctime)};
  file.mount = st.stx_mnt_id;
  file.whiteout = type == FileType::character && st.stx_rdev_major == 0 && st.stx_rdev_minor == 0;
  return file;
}

constexpr unsigned kWanted = STATX_BASIC_STATS | STATX_MNT_ID;

void add_xattrs(const std::string& path, Named named, FoundFile& file) {
  FoundXattrs found = read_xattrs(path, named);
  file.entry.attributes.xattrs = std::move(found.carried);
  file.overlay = found.overlay;
  if (found.owner) {
    file.entry.attributes.uid = found.owner->uid;
    file.entry.attributes.gid = found.owner->gid;
  }
  if (found.overlay.whiteout && file.entry.attributes.type == FileType::regular &&
      file.entry.attributes.size == 0) {
    file.whiteout = true;
  }
}

struct CloseDir {
  void operator()(DIR* dir) const noexcept { ::closedir(dir); }
};

}  // namespace

std::optional<FoundFile> find_file(const DirFd& dir, const std::string& name, bool xattrs) {
  struct statx st {};
  if (::statx(dir.get(), name.c_str(), AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, kWanted, &st) != 0) {
    if (errno == ENOENT) return std::nullopt;
    throw_errno(cat("stat ", quoted(name)));
  }
  const std::optional<FileType> type = type_of(st.stx_mode);
  if (!type) {
    FoundFile socket;
    socket.mount = st.stx_mnt_id;
    socket.whiteout = socket.socket = true;
    return socket;
  }
  FoundFile file = file_of(st, *type);
  if (*type == FileType::symlink) file.entry.attributes.link_target = link_target_of(dir, name);
  if (xattrs && !file.whiteout) {
    add_xattrs(cat(proc_path(dir.get()), "/", name), Named::by_entry, file);
  }
  return file;
}

FoundFile look_at_directory(const DirFd& dir, bool xattrs) {
  struct statx st {};
  if (::statx(dir.get(), "", AT_EMPTY_PATH, kWanted, &st) != 0) throw_errno("stat directory");
  FoundFile file = file_of(st, FileType::directory);
  if (xattrs) add_xattrs(proc_path(dir.get()), Named::by_descriptor, file);
  return file;
}

std::vector<std::string> sorted_names(const DirFd& dir) {
  UniqueFd copy(::openat(dir.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOATIME));
  if (!copy) copy.reset(::openat(dir.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!copy) throw_errno("open directory");
  const std::unique_ptr<DIR, CloseDir> stream(::fdopendir(copy.get()));
  if (!stream) throw_errno("read directory");
  (void)copy.release();  // the stream owns it now
  std::vector<std::string> names;
  for (;;) {
    errno = 0;
    const dirent* entry = ::readdir(stream.get());
    if (entry == nullptr) break;
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  if (errno != 0) throw_errno("read directory");
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace lade
