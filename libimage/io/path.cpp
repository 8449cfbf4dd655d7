#include "libimage/io/path.h"

#include <cerrno>
#include <climits>
#include <cstdlib>
#include <memory>
#include <utility>
#include <vector>

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/io/stream.h"

namespace lade {
namespace {

constexpr int kRenameRetries =
    128;  // security.md of every peer: openat2 answers EAGAIN while a rename races
constexpr std::size_t kMaxDepth =
    1000;  // directories below a root; deeper trees are an attack on recursion
constexpr std::size_t kMaxOpenLevels =
    64;  // directories open at once while a tree is removed; the usual limit is 1024 for a process
constexpr int kDirFlags = O_DIRECTORY | O_CLOEXEC;

int openat2_retrying(int dir, const char* path, open_how how) noexcept {
  for (int attempt = 0;; ++attempt) {
    const long fd = ::syscall(SYS_openat2, dir, path, &how, sizeof how);
    if (fd >= 0) return static_cast<int>(fd);
    if ((errno != EAGAIN && errno != EINTR) || attempt == kRenameRetries) return -1;
  }
}

int openat2_in_root(int root, const char* path, int flags, mode_t mode) noexcept {
  open_how how{};
  how.flags = static_cast<std::uint64_t>(flags | O_CLOEXEC);
  how.mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? mode : 0;
  how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
  return openat2_retrying(root, path, how);
}

std::vector<std::string_view> components_of(std::string_view path) {
  std::vector<std::string_view> components;
  for (const std::string_view piece : split(path, '/')) {
    if (piece.empty() || piece == ".") continue;
    if (piece == "..") {
      if (!components.empty()) components.pop_back();
      continue;
    }
    components.push_back(piece);
  }
  return components;
}

struct CloseDir {
  void operator()(DIR* dir) const noexcept { ::closedir(dir); }
};
using DirStream = std::unique_ptr<DIR, CloseDir>;

std::vector<std::string> names_in(int dir) {
  UniqueFd copy(::openat(dir, ".", O_RDONLY | kDirFlags));
  if (!copy) throw_errno("open directory");
  DirStream stream(::fdopendir(copy.get()));
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
  return names;
}

/// A directory being emptied, and the names in it that are still to remove.
struct Level {
  DirFd dir;  // closed while the walk is far below, reopened on the way up
  dev_t device = 0;
  ino_t inode = 0;
  std::vector<std::string> names = {};
  std::string removing = {};  // the subdirectory that the next level empties
};

Level open_level(UniqueFd fd) {
  struct stat st {};
  if (::fstat(fd.get(), &st) != 0) throw_errno("stat directory");
  Level level{DirFd(std::move(fd)), st.st_dev, st.st_ino};
  level.names = names_in(level.dir.get());
  return level;
}

/// Opens the subdirectory `name` of `dir` unless something is mounted there.
UniqueFd open_subdirectory(int dir, const std::string& name) {
  open_how how{};
  how.flags = O_RDONLY | O_NOFOLLOW | kDirFlags;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS;
  const auto open = [&] { return openat2_retrying(dir, name.c_str(), how); };
  UniqueFd sub(open());
  if (!sub && errno == EACCES) {
    const UniqueFd handle(::openat(dir, name.c_str(), O_PATH | O_NOFOLLOW | kDirFlags));
    if (handle) (void)::chmod(proc_path(handle.get()).c_str(), 0700);
    sub.reset(open());
  }
  if (sub) {
    (void)::fchmod(sub.get(), 0700);
    return sub;
  }
  if (errno == EXDEV) {
    throw Error(Errc::denied, cat("remove ", quoted(name), ": a file system is mounted there"));
  }
  throw_errno(cat("remove ", quoted(name)));
}

/// Opens `above` again by way of its subdirectory `below`.
void reopen_above(Level& above, const Level& below) {
  UniqueFd fd(::openat(below.dir.get(), "..", O_RDONLY | kDirFlags));
  struct stat st {};
  if (!fd || ::fstat(fd.get(), &st) != 0) throw_errno("open the directory above");
  if (st.st_dev != above.device || st.st_ino != above.inode) {
    throw Error(Errc::unavailable,
                cat("remove directory ", quoted(above.removing), ": it was moved meanwhile"));
  }
  above.dir = DirFd(std::move(fd));
}

/// Removes one name of the last level, or adds the directory of that name as a level.
void remove_next(std::vector<Level>& levels) {
  Level& level = levels.back();
  const std::string name = std::move(level.names.back());
  level.names.pop_back();
  if (::unlinkat(level.dir.get(), name.c_str(), 0) == 0 || errno == ENOENT) return;
  if (errno != EISDIR && errno != EPERM) throw_errno(cat("remove ", quoted(name)));
  level.removing = name;
  Level next = open_level(open_subdirectory(level.dir.get(), name));
  if (levels.size() >= kMaxOpenLevels) levels[levels.size() - kMaxOpenLevels].dir.reset();
  levels.push_back(std::move(next));
}

/// Empties the directory `top` with an explicit stack, so that depth costs neither stack frames nor
/// file descriptors.
void empty_directory(UniqueFd top) {
  std::vector<Level> levels;
  levels.push_back(open_level(std::move(top)));
  for (;;) {
    if (!levels.back().names.empty()) {
      remove_next(levels);
      continue;
    }
    if (levels.size() == 1) return;
    Level& above = levels[levels.size() - 2];
    if (!above.dir) reopen_above(above, levels.back());
    if (::unlinkat(above.dir.get(), above.removing.c_str(), AT_REMOVEDIR) != 0 && errno != ENOENT) {
      throw_errno(cat("remove directory ", quoted(above.removing)));
    }
    levels.pop_back();
  }
}

}  // namespace

DirFd open_dir(const std::string& path) {
  DirFd dir(::open(path.c_str(), O_RDONLY | kDirFlags));
  if (!dir) throw_errno(cat("open directory ", quoted(path)));
  return dir;
}

DirFd create_dir(const std::string& path, mode_t mode) {
  for (std::size_t at = path.find('/', 1);; at = path.find('/', at + 1)) {
    const std::string prefix = path.substr(0, at);
    if (!prefix.empty() && ::mkdir(prefix.c_str(), mode) != 0 && errno != EEXIST &&
        errno != EISDIR) {
      throw_errno(cat("create directory ", quoted(prefix)));
    }
    if (at == std::string::npos) break;
  }
  return open_dir(path);
}

DirFd duplicate(const DirFd& dir) {
  DirFd copy(::fcntl(dir.get(), F_DUPFD_CLOEXEC, 0));
  if (!copy) throw_errno("duplicate directory descriptor");
  return copy;
}

UniqueFd try_open_in_root(const DirFd& root, std::string_view path, int flags,
                          mode_t mode) noexcept {
  try {
    std::string text(path);
    if (text.find('\0') != std::string::npos) {
      errno = EINVAL;
      return {};
    }
    if (text.empty()) text = ".";
    if (text.size() < PATH_MAX)
      return UniqueFd(openat2_in_root(root.get(), text.c_str(), flags, mode));
    // Too long for one call: all but the last component is opened step by step, lexically cleaned.
    const ParentAndName found = open_parent_in_root(root, path);
    return UniqueFd(
        openat2_in_root(found.parent.get(), found.name.c_str(), flags | O_NOFOLLOW, mode));
  } catch (const Error& e) {
    const auto* detail = std::get_if<ErrnoDetail>(&e.detail());
    errno = detail != nullptr ? detail->value : ENAMETOOLONG;
    return {};
  } catch (const std::exception&) {
    errno = ENOMEM;
    return {};
  }
}

UniqueFd open_in_root(const DirFd& root, std::string_view path, int flags, mode_t mode) {
  UniqueFd fd = try_open_in_root(root, path, flags, mode);
  if (!fd) throw_errno(cat("open ", quoted(path)));
  return fd;
}

ParentAndName open_parent_in_root(const DirFd& root, std::string_view path, bool create_parents,
                                  const DirCreated& created) {
  const std::vector<std::string_view> components = components_of(path);
  if (components.size() > kMaxDepth) {
    throw Error(Errc::limit_exceeded,
                cat("path of ", components.size(), " components is deeper than ", kMaxDepth));
  }
  if (components.empty()) return {duplicate(root), {}};
  // `walked` is resolved from the root each time a link may have moved us, so that IN_ROOT clamps
  // every link there.
  DirFd current = duplicate(root);
  std::string walked;
  for (std::size_t i = 0; i + 1 < components.size(); ++i) {
    const std::string name(components[i]);
    UniqueFd next(::openat(current.get(), name.c_str(), O_PATH | O_NOFOLLOW | kDirFlags));
    if (!next && (errno == ELOOP || errno == ENOTDIR)) {
      // A link (or a file): resolve it inside the root.
      const std::string so_far = walked.empty() ? name : cat(walked, "/", name);
      if (so_far.size() < PATH_MAX)
        next.reset(openat2_in_root(root.get(), so_far.c_str(), O_PATH | kDirFlags, 0));
    }
    if (!next && errno == ENOENT && create_parents) {
      if (::mkdirat(current.get(), name.c_str(), 0755) != 0 && errno != EEXIST) {
        throw_errno(cat("create directory ", quoted(name)));
      }
      next.reset(::openat(current.get(), name.c_str(), O_PATH | O_NOFOLLOW | kDirFlags));
      if (next && created) created(current, name);
    }
    if (!next)
      throw_errno(cat("open directory ", quoted(walked.empty() ? name : cat(walked, "/", name))));
    walked = walked.empty() ? name : cat(walked, "/", name);
    current = DirFd(std::move(next));
  }
  return {std::move(current), std::string(components.back())};
}

UniqueFd open_entry(const DirFd& dir, const std::string& name, int flags, mode_t mode) {
  UniqueFd fd(::openat(dir.get(), name.c_str(), flags | O_CLOEXEC | O_NOFOLLOW, mode));
  if (!fd) throw_errno(cat("open ", quoted(name)));
  return fd;
}

std::optional<struct stat> stat_entry(const DirFd& dir, const std::string& name) {
  struct stat st {};
  if (::fstatat(dir.get(), name.c_str(), &st, AT_SYMLINK_NOFOLLOW) == 0) return st;
  if (errno == ENOENT) return std::nullopt;
  throw_errno(cat("stat ", quoted(name)));
}

std::vector<std::string> list_names(const DirFd& dir) { return names_in(dir.get()); }

std::optional<std::string> real_path(const std::string& path) {
  const std::unique_ptr<char, decltype(&std::free)> real(::realpath(path.c_str(), nullptr),
                                                         &std::free);
  if (!real) return std::nullopt;
  return real.get();
}

void remove_tree(const DirFd& dir, const std::string& name) {
  if (::unlinkat(dir.get(), name.c_str(), 0) == 0 || errno == ENOENT) return;
  if (errno != EISDIR && errno != EPERM) throw_errno(cat("remove ", quoted(name)));
  empty_directory(open_subdirectory(dir.get(), name));
  if (::unlinkat(dir.get(), name.c_str(), AT_REMOVEDIR) != 0 && errno != ENOENT) {
    throw_errno(cat("remove directory ", quoted(name)));
  }
}

void remove_contents(const DirFd& dir) { empty_directory(duplicate(dir)); }

std::string clean_path(std::string_view path) {
  std::string out;
  for (const std::string_view component : components_of(path)) {
    if (!out.empty()) out += '/';
    out += component;
  }
  return out;
}

namespace {
std::string read_regular(UniqueFd fd, std::string_view path, std::uint64_t limit) {
  struct stat st {};
  if (::fstat(fd.get(), &st) != 0) throw_errno(cat("stat ", quoted(path)));
  if (!S_ISREG(st.st_mode))
    throw Error(Errc::invalid_content, cat(quoted(path), " is not a regular file"));
  FdSource source(std::move(fd), quoted(path));
  return read_all(source, limit, quoted(path));
}
}  // namespace

std::string read_file_at(const DirFd& dir, const std::string& path, std::uint64_t limit) {
  // O_NONBLOCK: a FIFO in place of the file must not block the open.
  UniqueFd fd(::openat(dir.get(), path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!fd) throw_errno(cat("open ", quoted(path)));
  return read_regular(std::move(fd), path, limit);
}

std::string read_file(const std::string& path, std::uint64_t limit) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd) throw_errno(cat("open ", quoted(path)));
  return read_regular(std::move(fd), path, limit);
}

bool path_exists(const std::string& path) noexcept {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0;
}

std::string proc_path(int fd) { return cat("/proc/self/fd/", fd); }

std::string random_name(std::size_t count) {
  constexpr std::string_view kAlphabet = "abcdefghijklmnopqrstuvwxyz0123456789";
  std::string bytes(count, '\0');
  std::size_t filled = 0;
  while (filled < count) {
    const ssize_t got = ::getrandom(bytes.data() + filled, count - filled, 0);
    if (got < 0 && errno != EINTR) throw_errno("get random bytes");
    if (got > 0) filled += static_cast<std::size_t>(got);
  }
  for (char& c : bytes) c = kAlphabet[static_cast<unsigned char>(c) % kAlphabet.size()];
  return bytes;
}

TempDir::TempDir(const std::string& parent, std::string_view prefix) : parent_(open_dir(parent)) {
  for (;;) {
    name_ = cat(prefix, random_name(12));
    if (::mkdirat(parent_.get(), name_.c_str(), 0700) == 0) break;
    if (errno != EEXIST) throw_errno(cat("create directory in ", quoted(parent)));
  }
  path_ = cat(parent, "/", name_);
  dir_ = DirFd(open_entry(parent_, name_, O_RDONLY | O_DIRECTORY));
}

TempDir::TempDir(TempDir&& other) noexcept
    : path_(std::move(other.path_)),
      name_(std::exchange(other.name_, {})),
      parent_(std::move(other.parent_)),
      dir_(std::move(other.dir_)) {}

TempDir::~TempDir() {
  if (name_.empty()) return;
  try {
    remove_tree(parent_, name_);
  } catch (const std::exception&) {  // a destructor has no one to tell; the sweep of the store
                                     // finds leftovers
  }
}

}  // namespace lade
