#include "libimage/store/pending_file.h"

#include <cerrno>
#include <cstdio>
#include <memory>

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/io/path.h"

namespace lade {
namespace {

constexpr const char* kTemporaryDir = ".lade-tmp";
constexpr std::string_view kKeptPrefix = "part-";

enum class Lock { held, busy, unsupported };

Lock try_flock(int fd) {
  int result = 0;
  do {
    result = ::flock(fd, LOCK_EX | LOCK_NB);
  } while (result != 0 && errno == EINTR);
  if (result == 0) return Lock::held;
  return errno == EWOULDBLOCK ? Lock::busy : Lock::unsupported;
}

bool has_name(int fd) {
  struct stat st {};
  return ::fstat(fd, &st) == 0 && st.st_nlink > 0;
}

/// True if `fd` is what `name` in `room` is: a file that nobody else can write to through another
/// name or as another user.
bool is_our_own(int fd, int room, const std::string& name) {
  struct stat open {};
  struct stat named {};
  return ::fstat(fd, &open) == 0 &&
         ::fstatat(room, name.c_str(), &named, AT_SYMLINK_NOFOLLOW) == 0 &&
         open.st_dev == named.st_dev && open.st_ino == named.st_ino && S_ISREG(open.st_mode) &&
         open.st_nlink == 1 && open.st_uid == ::geteuid();
}

/// True if the kept file `fd` was written to within the last `kept_for`.
bool is_recent(int fd, std::chrono::seconds kept_for) {
  struct stat st {};
  if (::fstat(fd, &st) != 0) return true;
  const auto written = std::chrono::system_clock::from_time_t(st.st_mtime);
  return std::chrono::system_clock::now() - written < kept_for;
}

UniqueFd open_room(const DirFd& dir) {
  for (;;) {
    if (::mkdirat(dir.get(), kTemporaryDir, 0755) != 0 && errno != EEXIST) {
      throw_errno("create directory for temporary files");
    }
    UniqueFd room(
        ::openat(dir.get(), kTemporaryDir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (room) return room;
    // The last writer to leave took the directory with it.
    if (errno != ENOENT) throw_errno("open directory for temporary files");
  }
}

}  // namespace

PendingFile::PendingFile(const DirFd& dir, const std::string& key, Kind otherwise, mode_t mode)
    : dir_(duplicate(dir)), key_(key) {
  if (open_kept(mode)) return;
  key_.clear();
  create(otherwise, mode);
}

PendingFile::PendingFile(const DirFd& dir, Kind kind, mode_t mode) : dir_(duplicate(dir)) {
  create(kind, mode);
}

bool PendingFile::open_kept(mode_t mode) {
  const std::string name = cat(kKeptPrefix, key_);
  for (int vanished = 0; vanished < 100; ++vanished) {
    const UniqueFd room = open_room(dir_);
    UniqueFd fd(::openat(room.get(), name.c_str(),
                         O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, mode));
    if (!fd && errno == ENOENT) continue;
    if (!fd || try_flock(fd.get()) != Lock::held) return false;
    // A sweeper, or the one who published it, may have come between.
    if (!has_name(fd.get())) continue;
    if (!is_our_own(fd.get(), room.get(), name)) return false;
    const off_t size = ::lseek(fd.get(), 0, SEEK_END);
    if (size < 0) return false;
    kept_ = static_cast<std::uint64_t>(size);
    fd_ = std::move(fd);
    temporary_ = cat(kTemporaryDir, "/", name);
    return true;
  }
  return false;
}

void PendingFile::start_over() {
  if (::ftruncate(fd_.get(), 0) != 0 || ::lseek(fd_.get(), 0, SEEK_SET) != 0) {
    throw_errno("empty temporary file");
  }
  kept_ = 0;
}

void PendingFile::create(Kind kind, mode_t mode) {
  if (kind == Kind::unnamed) {
    fd_.reset(::openat(dir_.get(), ".", O_TMPFILE | O_RDWR | O_CLOEXEC, mode));
    if (fd_) return;
    // EISDIR and ENOENT come from kernels, EOPNOTSUPP from file systems without unnamed files.
    if (errno != EOPNOTSUPP && errno != EISDIR && errno != ENOENT) throw_errno("create file");
  }
  create_named(mode);
}

void PendingFile::create_named(mode_t mode) {
  for (;;) {
    const UniqueFd room = open_room(dir_);
    const std::string name = random_name(12);
    UniqueFd fd(::openat(room.get(), name.c_str(),
                         O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode));
    // ENOENT: the last writer to leave took the directory with it.
    if (!fd && errno != EEXIST && errno != ENOENT) throw_errno("create temporary file");
    // A sweeper may have come between creation and lock; then the file is gone and we try again.
    // Without locks it stays unlocked, and no sweeper there can take it either.
    if (!fd || try_flock(fd.get()) == Lock::busy || !has_name(fd.get())) continue;
    fd_ = std::move(fd);
    temporary_ = cat(kTemporaryDir, "/", name);
    return;
  }
}

PendingFile::~PendingFile() {
  if (temporary_.empty() || keep_) return;
  ::unlinkat(dir_.get(), temporary_.c_str(), 0);
  if (!key_.empty()) ::unlinkat(dir_.get(), kTemporaryDir, AT_REMOVEDIR);
}

void PendingFile::write(ByteView data) {
  FdSink sink(fd_.get(), "temporary file");
  sink.write(data);
}

void PendingFile::link_unnamed(const std::string& name) {
  const std::string self = proc_path(fd_.get());
  const auto link = [&](const std::string& to) {
    return ::linkat(AT_FDCWD, self.c_str(), dir_.get(), to.c_str(), AT_SYMLINK_FOLLOW) == 0;
  };
  if (link(name)) return;
  if (errno != EEXIST) throw_errno(cat("publish ", quoted(name)));
  // linkat never replaces: take a name first, then rename over the old file. Locked, so that a
  // sweeper takes it only after our death.
  (void)try_flock(fd_.get());
  std::string step;
  for (;;) {
    if (::mkdirat(dir_.get(), kTemporaryDir, 0755) != 0 && errno != EEXIST) {
      throw_errno("create directory for temporary files");
    }
    step = cat(kTemporaryDir, "/", random_name(12));
    if (link(step)) break;
    // ENOENT: another writer took the directory with it.
    if (errno != ENOENT && errno != EEXIST) throw_errno(cat("publish ", quoted(name)));
  }
  temporary_ = std::move(step);
  rename_to(name);
}

void PendingFile::rename_to(const std::string& name) {
  if (::renameat(dir_.get(), temporary_.c_str(), dir_.get(), name.c_str()) != 0) {
    throw_errno(cat("publish ", quoted(name)));
  }
  temporary_.clear();
  // Fails while other files are in the making: the last one removes it.
  ::unlinkat(dir_.get(), kTemporaryDir, AT_REMOVEDIR);
}

void PendingFile::publish(const std::string& name) {
  if (temporary_.empty()) {
    link_unnamed(name);
  } else {
    rename_to(name);
  }
}

void PendingFile::sweep(const DirFd& dir, std::chrono::seconds kept_for) {
  UniqueFd room(
      ::openat(dir.get(), kTemporaryDir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!room) return;
  const int room_fd = room.get();
  struct Close {
    void operator()(DIR* stream) const noexcept { ::closedir(stream); }
  };
  const std::unique_ptr<DIR, Close> stream(::fdopendir(room_fd));
  if (!stream) return;
  (void)room.release();
  while (const dirent* entry = ::readdir(stream.get())) {
    const std::string name = entry->d_name;
    if (name == "." || name == "..") continue;
    const UniqueFd fd(
        ::openat(room_fd, name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
    const bool waits = fd && name.starts_with(kKeptPrefix) && is_recent(fd.get(), kept_for);
    if (fd && !waits && try_flock(fd.get()) == Lock::held) ::unlinkat(room_fd, name.c_str(), 0);
  }
  ::unlinkat(dir.get(), kTemporaryDir, AT_REMOVEDIR);
}

}  // namespace lade
