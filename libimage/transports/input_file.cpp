#include "libimage/transports/input_file.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <vector>

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/io/path.h"
#include "libimage/store/pending_file.h"

namespace lade {
namespace {

constexpr int kPollMilliseconds = 100;

UniqueFd duplicated(int fd) {
  UniqueFd copy(::fcntl(fd, F_DUPFD_CLOEXEC, 0));
  if (!copy) throw_errno("duplicate descriptor");
  return copy;
}

struct stat status_of(int fd) {
  struct stat st {};
  if (::fstat(fd, &st) != 0) throw_errno("stat");
  return st;
}

/// Waits without ever blocking, so that a writer who never comes does not hold the command.
class StreamSource final : public Source {
 public:
  StreamSource(int fd, std::stop_token stop) : fd_(fd), stop_(std::move(stop)) {}
  std::size_t read(std::span<std::byte> out) override {
    for (;;) {
      if (stop_.stop_requested()) throw Cancelled();
      struct pollfd wait {
        .fd = fd_, .events = POLLIN, .revents = 0
      };
      const int ready = ::poll(&wait, 1, kPollMilliseconds);
      if (ready < 0 && errno != EINTR) throw_errno("wait for input");
      if (ready <= 0) continue;
      const ssize_t got = ::read(fd_, out.data(), out.size());
      if (got >= 0) return static_cast<std::size_t>(got);
      if (errno != EINTR && errno != EAGAIN) throw_errno("read");
    }
  }

 private:
  int fd_;
  std::stop_token stop_;
};

std::uint64_t room_for(const DirFd& dir) {
  struct statvfs room {};
  if (::fstatvfs(dir.get(), &room) != 0) throw_errno("look at the room for temporary files");
  return static_cast<std::uint64_t>(room.f_bavail) / 10 * 9 * room.f_frsize;
}

}  // namespace

bool is_standard_input(std::string_view path) noexcept {
  constexpr std::array<std::string_view, 4> kNames = {"-", "/dev/stdin", "/dev/fd/0",
                                                      "/proc/self/fd/0"};
  return std::find(kNames.begin(), kNames.end(), path) != kNames.end();
}

bool is_standard_output(std::string_view path) noexcept {
  constexpr std::array<std::string_view, 4> kNames = {"-", "/dev/stdout", "/dev/fd/1",
                                                      "/proc/self/fd/1"};
  return std::find(kNames.begin(), kNames.end(), path) != kNames.end();
}

UniqueFd open_input_file(const std::string& path, const SessionOptions& options) {
  // O_NONBLOCK: the open of a FIFO must not wait for its writer.
  UniqueFd fd = is_standard_input(path)
                    ? duplicated(STDIN_FILENO)
                    : UniqueFd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!fd) throw_errno("open");
  const struct stat st = status_of(fd.get());
  if (S_ISREG(st.st_mode) && ::lseek(fd.get(), 0, SEEK_CUR) == 0) return fd;
  if (::isatty(fd.get()) == 1) throw Error(Errc::unsupported, "it is a terminal");
  if (!S_ISREG(st.st_mode) && !S_ISFIFO(st.st_mode) && !S_ISSOCK(st.st_mode)) {
    throw Error(Errc::unsupported, "it is neither a regular file nor a pipe");
  }
  StreamSource stream(fd.get(), options.stop);
  return keep_stream(stream, options);
}

UniqueFd keep_stream(Source& stream, const SessionOptions& options, std::uint64_t limit) {
  const DirFd dir = open_dir(options.temp_root);
  const std::uint64_t most = std::min(limit, room_for(dir));
  PendingFile file(dir, PendingFile::Kind::unnamed, 0600);
  std::vector<std::byte> buffer(kChunkBytes);
  std::uint64_t bytes = 0;
  while (const std::size_t got = stream.read(buffer)) {
    if (options.stop.stop_requested()) throw Cancelled();
    bytes += got;
    if (bytes > most) {
      throw Error(Errc::limit_exceeded, cat("the stream is longer than the ", human_size(most),
                                            " that may be kept in ", quoted(options.temp_root)));
    }
    file.write(ByteView(buffer).first(got));
  }
  return duplicated(file.fd());
}

std::size_t read_file_range(int fd, std::uint64_t offset, std::span<std::byte> out) {
  std::size_t filled = 0;
  while (filled < out.size()) {
    const ssize_t got =
        ::pread(fd, out.data() + filled, out.size() - filled, static_cast<off_t>(offset + filled));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw_errno("read");
    if (got == 0) break;
    filled += static_cast<std::size_t>(got);
  }
  return filled;
}

std::uint64_t file_size(int fd) { return static_cast<std::uint64_t>(status_of(fd).st_size); }

}  // namespace lade
