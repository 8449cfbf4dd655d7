#include "libimage/io/atomic_file.h"

#include <cerrno>
#include <cstdio>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/io/path.h"

namespace lade {

AtomicFile::AtomicFile(const DirFd& dir, std::string name, mode_t mode)
    : dir_(dir), name_(std::move(name)) {
  temporary_ = cat(".", name_.substr(0, 100), ".tmp-", random_name(8));
  fd_.reset(::openat(dir_.get(), temporary_.c_str(),
                     O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode));
  if (!fd_) throw_errno(cat("create ", quoted(name_)));
}

AtomicFile::~AtomicFile() {
  if (!committed_) ::unlinkat(dir_.get(), temporary_.c_str(), 0);
}

void AtomicFile::write(ByteView data) {
  FdSink sink(fd_.get(), quoted(name_));
  sink.write(data);
}

void AtomicFile::commit(Durability durability) {
  if (durability == Durability::fsync && ::fsync(fd_.get()) != 0)
    throw_errno(cat("sync ", quoted(name_)));
  fd_.reset();
  if (::renameat(dir_.get(), temporary_.c_str(), dir_.get(), name_.c_str()) != 0) {
    throw_errno(cat("rename to ", quoted(name_)));
  }
  committed_ = true;
  if (durability == Durability::fsync) {
    const UniqueFd directory(::openat(dir_.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (directory) (void)::fsync(directory.get());
  }
}

}  // namespace lade
