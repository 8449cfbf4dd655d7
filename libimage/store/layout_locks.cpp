#include "libimage/store/layout_locks.h"

#include <cerrno>

#include <fcntl.h>
#include <sys/file.h>

#include "libimage/base/error.h"

namespace lade {

LayoutLock::LayoutLock(const DirFd& dir)
    : fd_(::openat(dir.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {
  if (!fd_) throw_errno("open directory");
  int result = 0;
  do {
    result = ::flock(fd_.get(), LOCK_EX);
  } while (result != 0 && errno == EINTR);
  // NFS cannot lock what is not open for writing, so never a directory.
  if (result != 0) file_.emplace(dir, kLayoutLockFile, FileLock::Mode::exclusive);
}

OnlyWriter::OnlyWriter(const DirFd& blobs, Otherwise otherwise)
    : blobs_(blobs), otherwise_(otherwise) {
  if (!blobs_ || ::flock(blobs_.get(), LOCK_EX | LOCK_NB) == 0) return;
  restore();  // a failed change of the lock may have lost it
  if (errno == EWOULDBLOCK) throw Error(Errc::unavailable, "somebody else writes to it");
}

void OnlyWriter::restore() const noexcept {
  const int error = errno;
  if (blobs_) (void)::flock(blobs_.get(), otherwise_ == Otherwise::shared ? LOCK_SH : LOCK_UN);
  errno = error;
}

}  // namespace lade
