#include "libimage/storage/store_lock.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <thread>

#include <fcntl.h>
#include <sys/random.h>
#include <unistd.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"

namespace lade {
namespace {

constexpr std::size_t kStampBytes = 64;
constexpr std::chrono::milliseconds kLongestWait{20};

/// Empty where a shared lock can do without.
UniqueFd open_lock(const DirFd& dir, const std::string& name, StoreLock::Mode mode) {
  constexpr int kFlags = O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;
  UniqueFd fd(::openat(dir.get(), name.c_str(), O_RDWR | O_CREAT | kFlags, 0644));
  if (fd) return fd;
  const int failure = errno;
  if (mode == StoreLock::Mode::exclusive || (failure != EROFS && failure != EACCES)) {
    throw_errno(cat("open lock ", quoted(name)), failure);
  }
  return UniqueFd(::openat(dir.get(), name.c_str(), O_RDONLY | kFlags));
}

}  // namespace

StoreLock::StoreLock(const DirFd& dir, const std::string& name, Mode mode,
                     const std::stop_token& stop)
    : fd_(open_lock(dir, name, mode)) {
  if (!fd_) return;
  struct flock range {};
  range.l_type = mode == Mode::shared ? F_RDLCK : F_WRLCK;
  range.l_whence = SEEK_SET;
  // Waiting inside the kernel could not be stopped.
  for (std::chrono::milliseconds wait{1}; ::fcntl(fd_.get(), F_OFD_SETLK, &range) != 0;
       wait = std::min(wait * 2, kLongestWait)) {
    if (errno != EAGAIN && errno != EACCES && errno != EINTR) {
      throw_errno(cat("lock ", quoted(name)));
    }
    if (stop.stop_requested()) throw Cancelled();
    std::this_thread::sleep_for(wait);
  }
}

std::string StoreLock::stamp() const {
  std::array<char, kStampBytes> bytes{};
  const ssize_t got = fd_ ? ::pread(fd_.get(), bytes.data(), bytes.size(), 0) : 0;
  if (got < 0) throw_errno("read lock file");
  return {bytes.data(), static_cast<std::size_t>(got)};
}

/// Time, counter, process and randomness, in containers/storage's order.
void StoreLock::touch() const {
  std::array<char, kStampBytes> bytes{};
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const std::int64_t nanoseconds =
      std::chrono::duration_cast<std::chrono::nanoseconds>(now).count();
  const std::int32_t process = ::getpid();
  std::memcpy(bytes.data(), &nanoseconds, sizeof nanoseconds);
  std::memcpy(bytes.data() + 16, &process, sizeof process);
  if (::getrandom(bytes.data() + 20, bytes.size() - 20, 0) !=
      static_cast<ssize_t>(bytes.size() - 20)) {
    throw_errno("read random bytes");
  }
  if (::pwrite(fd_.get(), bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) {
    throw_errno("write lock file");
  }
}

}  // namespace lade
