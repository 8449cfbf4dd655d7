#pragma once
#include <stop_token>
#include <string>

#include "libimage/base/unique_fd.h"

namespace lade {

/// A lock file as containers/storage has it: a record lock over the whole file, which holds 64
/// bytes that the last writer made up, so that others see that they must read again. Taken as an
/// open file description lock, which excludes both the record locks of other programs and other
/// threads of this one. Dropped when the object goes, or the process dies.
class StoreLock {
 public:
  enum class Mode { shared, exclusive };
  /// Waits for the lock on file `name` of `dir`, created if missing. Shared ones on a read-only
  /// file system hold nothing where the file cannot be opened. Throws Cancelled.
  StoreLock(const DirFd& dir, const std::string& name, Mode mode, const std::stop_token& stop);

  /// What the last writer left; "" if nobody has written.
  [[nodiscard]] std::string stamp() const;

  /// Leaves a new stamp: call before the data changes, so that nobody misses it. Exclusive only.
  void touch() const;

 private:
  UniqueFd fd_;
};

}  // namespace lade
