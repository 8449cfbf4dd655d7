#pragma once
#include <atomic>
#include <optional>
#include <string>

#include "libimage/base/unique_fd.h"
#include "libimage/io/file_lock.h"

namespace lade {

/// A directory below a driver's own, in which one writer unpacks layers before they get their
/// places: on the same file system, where no other program looks. Removed with what it still holds;
/// what dead processes left is removed by the next one.
class StagingDir {
 public:
  explicit StagingDir(const DirFd& driver_home);
  ~StagingDir();
  StagingDir(const StagingDir&) = delete;
  StagingDir& operator=(const StagingDir&) = delete;

  [[nodiscard]] const DirFd& dir() const noexcept { return dir_; }
  /// A name that nothing in the directory has. Thread-safe.
  [[nodiscard]] std::string new_name();

 private:
  DirFd parent_;
  std::string name_;
  DirFd dir_;
  std::optional<FileLock> alive_;
  std::atomic<unsigned> count_{0};
};

}  // namespace lade
