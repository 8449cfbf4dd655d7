#pragma once
#include "libimage/base/unique_fd.h"

namespace lade {

/// Held by whoever executes the step of a key, so that another process that comes to the same step
/// waits for the result. The kernel drops it when the process dies. See LocalStore::try_lock_step.
class StepLock {
 public:
  explicit StepLock(UniqueFd fd) : fd_(std::move(fd)) {}

 private:
  UniqueFd fd_;
};

}  // namespace lade
