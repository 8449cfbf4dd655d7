#pragma once
#include <optional>
#include <string>

#include "libimage/base/unique_fd.h"

namespace lade {

/// An advisory lock (flock) held while the object lives; the kernel drops it when the process dies.
class FileLock {
 public:
  enum class Mode { shared, exclusive };
  /// Waits for the lock on file `name` of `dir`, created if missing.
  FileLock(const DirFd& dir, const std::string& name, Mode mode);
  /// The lock if nobody holds a conflicting one now, else nullopt.
  static std::optional<FileLock> try_lock(const DirFd& dir, const std::string& name, Mode mode);
  [[nodiscard]] int fd() const noexcept { return fd_.get(); }

 private:
  explicit FileLock(UniqueFd fd) : fd_(std::move(fd)) {}
  UniqueFd fd_;
};

}  // namespace lade
