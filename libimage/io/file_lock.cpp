#include "libimage/io/file_lock.h"

#include <cerrno>
#include <utility>

#include <fcntl.h>
#include <sys/file.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"

namespace lade {
namespace {

UniqueFd open_lock_file(const DirFd& dir, const std::string& name) {
  UniqueFd fd(::openat(dir.get(), name.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd) throw_errno(cat("open lock ", quoted(name)));
  return fd;
}

int flock_retrying(int fd, int operation) {
  int result = 0;
  do {
    result = ::flock(fd, operation);
  } while (result != 0 && errno == EINTR);
  return result;
}

}  // namespace

FileLock::FileLock(const DirFd& dir, const std::string& name, Mode mode)
    : fd_(open_lock_file(dir, name)) {
  if (flock_retrying(fd_.get(), mode == Mode::shared ? LOCK_SH : LOCK_EX) != 0) {
    throw_errno(cat("lock ", quoted(name)));
  }
}

std::optional<FileLock> FileLock::try_lock(const DirFd& dir, const std::string& name, Mode mode) {
  UniqueFd fd = open_lock_file(dir, name);
  if (flock_retrying(fd.get(), (mode == Mode::shared ? LOCK_SH : LOCK_EX) | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) return std::nullopt;
    throw_errno(cat("lock ", quoted(name)));
  }
  return FileLock(std::move(fd));
}

}  // namespace lade
