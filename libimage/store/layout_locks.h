/// The locks on a layout's directories. Internal to libimage/store.
#pragma once
#include <optional>

#include "libimage/base/unique_fd.h"
#include "libimage/io/file_lock.h"

namespace lade {

/// On a file of its own where directories cannot be locked.
inline constexpr const char* kLayoutLockFile = ".lade.lock";

/// Held while index.json is read, changed and replaced.
class LayoutLock {
 public:
  explicit LayoutLock(const DirFd& dir);

 private:
  UniqueFd fd_;
  std::optional<FileLock> file_;
};

/// Held while blobs are removed: nobody else has the layout open to write. A store that is itself
/// open to write holds the lock shared, before and after.
class OnlyWriter {
 public:
  enum class Otherwise { nothing, shared };
  /// Error{unavailable} while somebody else writes.
  OnlyWriter(const DirFd& blobs, Otherwise otherwise);
  ~OnlyWriter() { restore(); }
  OnlyWriter(const OnlyWriter&) = delete;
  OnlyWriter& operator=(const OnlyWriter&) = delete;

 private:
  void restore() const noexcept;
  const DirFd& blobs_;
  Otherwise otherwise_;
};

}  // namespace lade
