/// What an image proxy and its client exchange: packets with descriptors beside them, and pipes.
#pragma once
#include <atomic>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "libimage/base/unique_fd.h"
#include "libimage/io/stream.h"

namespace lade::tools::compat {

/// The largest packet of the protocol, in bytes.
inline constexpr std::size_t kMaxProxyPacket = std::size_t{32} * 1024;

/// A descriptor that becomes readable when a stop is requested, for waits in poll().
class StopEvent {
 public:
  explicit StopEvent(const std::stop_token& stop);
  /// Returns once `fd` has one of `events`, or its other side is gone. Throws Cancelled.
  void wait_for(int fd, short events) const;

 private:
  struct Wake {
    int fd;
    void operator()() const noexcept;
  };
  UniqueFd event_;
  std::stop_callback<Wake> callback_;
};

/// One side of a socket pair of type SOCK_SEQPACKET.
class PacketSocket {
 public:
  /// Takes over the descriptor. Error{invalid_argument} unless it is such a socket.
  PacketSocket(UniqueFd socket, const StopEvent& stop);
  /// The next packet; nullopt when the other side is gone. Throws Cancelled.
  std::optional<std::string> receive();
  /// Sends `text` with `fds` beside it, which the other side gets copies of.
  void send(std::string_view text, const std::vector<UniqueFd>& fds);

 private:
  UniqueFd socket_;
  const StopEvent& stop_;
};

/// Why something failed, in the words of the protocol.
struct ProxyFailure {
  std::string code;  ///< "EPIPE", "retryable" or "other"
  std::string message;
};

/// Of a caught exception.
ProxyFailure proxy_failure(const std::exception_ptr& error);

/// A pipe that a thread of its own fills from a source.
class FilledPipe {
 public:
  /// What the source needs to live must be inside it. With Report::pipe a failure is written to a
  /// pipe of its own as JSON, and both are closed as soon as all is written; otherwise the data's
  /// end comes with finish().
  enum class Report { finish, pipe };
  FilledPipe(std::unique_ptr<Source> source, Report report, const StopEvent& stop);

  /// The ends for the client: the data's, and with Report::pipe the failure's. Call once.
  std::vector<UniqueFd> take_read_ends();
  /// Waits for the thread and closes the pipe. Throws what failed.
  void finish();
  [[nodiscard]] bool is_done() const noexcept { return done_; }

 private:
  void fill(Source& source, Report report);
  void tell_failure() const;
  const StopEvent& stop_;
  std::vector<UniqueFd> read_ends_;
  UniqueFd data_;
  UniqueFd report_;
  std::exception_ptr failure_;  // written by the thread, read after it ended
  std::atomic<bool> done_ = false;
  std::jthread thread_;  // last: it uses the members above
};

}  // namespace lade::tools::compat
