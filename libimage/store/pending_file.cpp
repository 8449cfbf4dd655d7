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

}  // namespace

PendingFile::PendingFile(const DirFd& dir, Kind kind, mode_t mode) : dir_(duplicate(dir)) {
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
    if (::mkdirat(dir_.get(), kTemporaryDir, 0755) != 0 && errno != EEXIST) {
      throw_errno("create directory for temporary files");
    }
    const UniqueFd room(
        ::openat(dir_.get(), kTemporaryDir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    // ENOENT, here and below: the last writer to leave took the directory with it.
    if (!room && errno == ENOENT) continue;
    if (!room) throw_errno("open directory for temporary files");
    const std::string name = random_name(12);
    UniqueFd fd(::openat(room.get(), name.c_str(),
                         O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode));
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
  if (!temporary_.empty()) ::unlinkat(dir_.get(), temporary_.c_str(), 0);
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

void PendingFile::sweep(const DirFd& dir) {
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
    if (fd && try_flock(fd.get()) == Lock::held) ::unlinkat(room_fd, name.c_str(), 0);
  }
  ::unlinkat(dir.get(), kTemporaryDir, AT_REMOVEDIR);
}

}  // namespace lade
