#pragma once
#include <utility>

#include <unistd.h>

namespace lade {

/// Owns a file descriptor; closed on destruction. -1 means none.
class UniqueFd {
 public:
  UniqueFd() noexcept = default;
  explicit UniqueFd(int fd) noexcept : fd_(fd) {}
  UniqueFd(UniqueFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept {
    if (this != &other) reset(std::exchange(other.fd_, -1));
    return *this;
  }
  UniqueFd(const UniqueFd&) = delete;
  UniqueFd& operator=(const UniqueFd&) = delete;
  ~UniqueFd() { reset(); }

  [[nodiscard]] int get() const noexcept { return fd_; }
  [[nodiscard]] explicit operator bool() const noexcept { return fd_ >= 0; }
  [[nodiscard]] int release() noexcept { return std::exchange(fd_, -1); }
  void reset(int fd = -1) noexcept {
    if (fd_ >= 0) ::close(fd_);
    fd_ = fd;
  }

 private:
  int fd_ = -1;
};

/// A descriptor of a directory (O_PATH or O_RDONLY): what every path operation starts from.
class DirFd : public UniqueFd {
 public:
  using UniqueFd::UniqueFd;
  DirFd() noexcept = default;
  explicit DirFd(UniqueFd fd) noexcept : UniqueFd(std::move(fd)) {}
};

/// The ends of a pipe, closed on exec.
struct PipeEnds {
  UniqueFd read;
  UniqueFd write;
};
/// Error{io} where the process has no descriptors left.
PipeEnds make_pipe();

}  // namespace lade
