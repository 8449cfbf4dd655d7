#include "libimage/sandbox/mount_point.h"

#include <array>
#include <cerrno>
#include <climits>

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/mount.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/io/path.h"

namespace lade::sandbox {
namespace {

constexpr int kMaxLinks = 40;            // as the kernel: MAXSYMLINKS
constexpr std::size_t kMaxDepth = 1000;  // components; deeper paths are an attack

struct stat stat_of(int fd) {
  struct stat found {};
  if (::fstat(fd, &found) != 0) throw_errno("stat mount point");
  return found;
}

/// Puts the components of `path` on `pending`, whose back is the next one.
void push_components(std::vector<std::string>& pending, std::string_view path) {
  const std::vector<std::string_view> pieces = split(path, '/');
  for (auto piece = pieces.rbegin(); piece != pieces.rend(); ++piece) {
    if (!piece->empty() && *piece != ".") pending.emplace_back(*piece);
  }
  if (pending.size() > kMaxDepth) throw_errno("resolve mount point", ENAMETOOLONG);
}

std::string read_link(int dir, const std::string& name) {
  struct statfs file_system {};
  if (::fstatfs(dir, &file_system) != 0) throw_errno("stat file system");
  if (file_system.f_type == PROC_SUPER_MAGIC) throw_errno("follow a link of proc", ELOOP);
  std::array<char, PATH_MAX> target{};
  const ssize_t size = ::readlinkat(dir, name.c_str(), target.data(), target.size());
  if (size < 0) throw_errno("read link");
  return {target.data(), static_cast<std::size_t>(size)};
}

UniqueFd open_entry_path(int dir, const std::string& name) {
  return UniqueFd(::openat(dir, name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
}

void set_mtime(int dir, const timespec& mtime) noexcept {
  const timespec times[2] = {{0, UTIME_OMIT}, mtime};
  (void)::futimens(dir, times);
}

}  // namespace

MountPoints::MountPoints(const DirFd& root, int upper)
    : root_(root), upper_(upper), root_device_(stat_of(root.get()).st_dev) {}

UniqueFd MountPoints::open(std::string_view path, Kind kind, Keep keep) {
  const int type = kind == Kind::directory ? O_DIRECTORY : 0;
  UniqueFd found = try_open_in_root(root_, path, O_PATH | type);
  if (!found) {
    if (errno != ENOENT) throw_errno(cat("open ", quoted(path)));
    found = with_context([&] { return cat("open ", quoted(path)); },
                         [&] { return walk(path, kind, keep); });
  }
  return found;
}

UniqueFd MountPoints::walk(std::string_view path, Kind kind, Keep keep) {
  std::vector<Level> levels;
  levels.push_back({duplicate(root_), {}});
  std::vector<std::string> pending;
  push_components(pending, path);
  int links = 0;
  while (!pending.empty()) {
    const std::string name = std::move(pending.back());
    pending.pop_back();
    if (name == "..") {
      if (levels.size() > 1) levels.pop_back();
      continue;
    }
    const int dir = levels.back().dir.get();
    const Kind wanted = pending.empty() ? kind : Kind::directory;
    UniqueFd next = open_entry_path(dir, name);
    if (!next && errno != ENOENT) throw_errno(cat("open ", quoted(name)));
    if (!next) next = make(levels, name, wanted, keep);
    const mode_t type = stat_of(next.get()).st_mode & S_IFMT;
    if (type == S_IFLNK) {
      if (++links > kMaxLinks) throw_errno(cat("follow ", quoted(name)), ELOOP);
      const std::string target = read_link(dir, name);
      if (!target.empty() && target.front() == '/') levels.resize(1);
      push_components(pending, target);
      continue;
    }
    if (wanted == Kind::directory && type != S_IFDIR) throw_errno(quoted(name), ENOTDIR);
    if (pending.empty()) return next;
    levels.push_back({std::move(next), name});
  }
  return std::move(levels.back().dir);
}

UniqueFd MountPoints::make(const std::vector<Level>& levels, const std::string& name, Kind kind,
                           Keep keep) {
  note_copied_up(levels);
  UniqueFd parent(
      ::openat(levels.back().dir.get(), ".", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!parent) throw_errno(cat("open the parent of ", quoted(name)));
  const timespec before = stat_of(parent.get()).st_mtim;
  if (kind == Kind::directory) {
    if (::mkdirat(parent.get(), name.c_str(), 0755) != 0 && errno != EEXIST) {
      throw_errno(cat("create directory ", quoted(name)));
    }
  } else {
    const UniqueFd file(::openat(parent.get(), name.c_str(),
                                 O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644));
    if (!file && errno != EEXIST) throw_errno(cat("create file ", quoted(name)));
  }
  UniqueFd made = open_entry_path(parent.get(), name);
  if (!made) throw_errno(cat("open ", quoted(name)));
  if (keep == Keep::until_unmade) {
    set_mtime(parent.get(), before);
    UniqueFd self(::fcntl(made.get(), F_DUPFD_CLOEXEC, 3));
    stubs_.push_back({std::move(parent), name, std::move(self), kind == Kind::directory});
  }
  return made;
}

void MountPoints::note_copied_up(const std::vector<Level>& levels) {
  if (upper_ < 0 || stat_of(levels.back().dir.get()).st_dev != root_device_) return;
  std::string path;
  for (const Level& level : levels) {
    if (level.name.empty()) continue;  // the root itself is the upper directory
    if (!path.empty()) path += '/';
    path += level.name;
    struct stat in_upper {};
    if (::fstatat(upper_, path.c_str(), &in_upper, AT_SYMLINK_NOFOLLOW) == 0) continue;
    const struct stat found = stat_of(level.dir.get());
    copied_up_.push_back({path, found.st_mode, found.st_uid, found.st_gid, found.st_mtim.tv_sec,
                          found.st_mtim.tv_nsec});
  }
}

void MountPoints::unmake() noexcept {
  for (auto stub = stubs_.rbegin(); stub != stubs_.rend(); ++stub) unmake_one(*stub);
  stubs_.clear();
}

void MountPoints::unmake_one(const Stub& stub) noexcept {
  if (::fchdir(stub.parent.get()) != 0) return;
  const char* const name = stub.name.c_str();
  while (::umount2(name, MNT_DETACH | UMOUNT_NOFOLLOW) == 0) {
  }
  struct stat made {};
  struct stat now {};
  struct stat parent {};
  if (::fstat(stub.self.get(), &made) != 0 || ::fstat(stub.parent.get(), &parent) != 0) return;
  if (::fstatat(stub.parent.get(), name, &now, AT_SYMLINK_NOFOLLOW) != 0) return;
  if (now.st_ino != made.st_ino || now.st_dev != made.st_dev) return;  // the step put its own there
  if (stub.is_directory) {
    if (!S_ISDIR(now.st_mode)) return;
    if (::unlinkat(stub.parent.get(), name, AT_REMOVEDIR) != 0) return;  // not empty: it stays
  } else {
    if (!S_ISREG(now.st_mode) || now.st_size != 0) return;
    if (::unlinkat(stub.parent.get(), name, 0) != 0) return;
  }
  set_mtime(stub.parent.get(), parent.st_mtim);
}

}  // namespace lade::sandbox
