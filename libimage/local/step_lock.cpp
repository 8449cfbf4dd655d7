#include "libimage/local/step_lock.h"

#include <cerrno>
#include <utility>

#include <fcntl.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/local/local_store.h"
#include "libimage/local/store_state.h"

namespace lade {
namespace {

constexpr const char* kLocks = "steps.lock";

/// The byte of the file that stands for `key`: one file holds all locks, and none has to be
/// removed. Two keys on one byte only wait for each other in vain.
off_t place_of(const std::string& key) {
  std::uint64_t place = 0;
  for (const char digit : std::string_view(key).substr(0, 15)) {
    place = place * 16 + static_cast<std::uint64_t>(digit <= '9' ? digit - '0' : digit - 'a' + 10);
  }
  return static_cast<off_t>(place);
}

}  // namespace

std::optional<StepLock> LocalStore::try_lock_step(const std::string& key) {
  if (!is_step_key(key)) {
    throw Error(Errc::invalid_argument,
                cat("step key ", quoted(key), " is not 16 to 128 hex digits"));
  }
  UniqueFd fd(::openat(state_->dir.get(), kLocks, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd) throw_errno("open the locks of steps");
  struct flock range {};
  range.l_type = F_WRLCK;
  range.l_whence = SEEK_SET;
  range.l_start = place_of(key);
  range.l_len = 1;
  if (::fcntl(fd.get(), F_OFD_SETLK, &range) == 0) return StepLock(std::move(fd));
  if (errno == EAGAIN || errno == EACCES) return std::nullopt;
  throw_errno("lock a step");
}

}  // namespace lade
