#include "libimage/transports/archive_output.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <thread>

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/transports/archive_builder.h"
#include "libimage/transports/input_file.h"
#include "libimage/transports/stream_archive.h"

namespace lade {
namespace {

constexpr std::chrono::milliseconds kPollInterval{100};
constexpr std::size_t kPieceBytes = std::size_t{64} * 1024;  // what a pipe takes at once

/// Writes to a pipe or device; waits for its reader without blocking.
class StreamSink final : public Sink {
 public:
  StreamSink(UniqueFd fd, std::stop_token stop) : fd_(std::move(fd)), stop_(std::move(stop)) {}

  void write(ByteView data) override {
    while (!data.empty()) {
      if (stop_.stop_requested()) throw Cancelled();
      struct pollfd wait {
        .fd = fd_.get(), .events = POLLOUT, .revents = 0
      };
      const int ready = ::poll(&wait, 1, static_cast<int>(kPollInterval.count()));
      if (ready < 0 && errno != EINTR) throw_errno("wait for the stream's reader");
      if (ready <= 0) continue;
      const ssize_t put = ::write(fd_.get(), data.data(), std::min(data.size(), kPieceBytes));
      if (put < 0 && errno != EINTR && errno != EAGAIN) throw_errno("write to the stream");
      if (put > 0) data = data.subspan(static_cast<std::size_t>(put));
    }
  }

 private:
  UniqueFd fd_;
  std::stop_token stop_;
};

UniqueFd open_stream(const std::string& path, const std::stop_token& stop) {
  if (is_standard_output(path)) {
    UniqueFd fd(::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0));
    if (!fd) throw_errno("standard output");
    if (::isatty(fd.get()) == 1) {
      throw Error(Errc::unsupported, "standard output is a terminal; send it to a file or a pipe");
    }
    return fd;
  }
  for (;;) {
    UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
    if (fd && ::isatty(fd.get()) == 1) throw Error(Errc::unsupported, "it is a terminal");
    if (fd) return fd;
    if (errno != ENXIO) throw_errno("open");
    if (stop.stop_requested()) throw Cancelled();
    std::this_thread::sleep_for(kPollInterval);  // nobody reads the FIFO yet
  }
}

}  // namespace

bool is_written_as_stream(const std::string& path) {
  if (is_standard_output(path)) return true;
  struct stat st {};
  return ::stat(path.c_str(), &st) == 0 && (S_ISFIFO(st.st_mode) || S_ISCHR(st.st_mode));
}

bool is_existing_archive(const std::string& path) {
  struct stat st {};
  return !is_standard_output(path) && ::stat(path.c_str(), &st) == 0 && S_ISREG(st.st_mode) &&
         st.st_size > 0;
}

std::unique_ptr<ArchiveOutput> create_archive(const std::string& path,
                                              const ArchiveOptions& archive,
                                              const SessionOptions& options) {
  if (!is_written_as_stream(path)) return std::make_unique<ArchiveBuilder>(path, archive);
  return with_context(
      [&] { return cat("write archive ", quoted(path)); },
      [&] {
        return std::make_unique<StreamArchive>(
            std::make_unique<StreamSink>(open_stream(path, options.stop), options.stop), archive,
            options);
      });
}

}  // namespace lade
