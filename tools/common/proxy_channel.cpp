#include "tools/common/proxy_channel.h"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/template/value.h"

namespace lade::tools::compat {
namespace {

UniqueFd event_fd() {
  UniqueFd event(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!event) throw_errno("create eventfd");
  return event;
}

/// One whose writing end does not block.
PipeEnds make_client_pipe() {
  PipeEnds ends = make_pipe();
  if (::fcntl(ends.write.get(), F_SETFL, O_NONBLOCK) != 0) throw_errno("set up pipe");
  return ends;
}

/// Writes to the client as fast as it reads.
class PipeSink final : public Sink {
 public:
  PipeSink(const UniqueFd& pipe, const StopEvent& stop) : pipe_(pipe), stop_(stop) {}
  void write(ByteView data) override {
    while (!data.empty()) {
      const ssize_t written = ::write(pipe_.get(), data.data(), data.size());
      if (written >= 0) {
        data = data.subspan(static_cast<std::size_t>(written));
      } else if (errno == EAGAIN) {
        stop_.wait_for(pipe_.get(), POLLOUT);
      } else if (errno != EINTR) {
        throw_errno("write to the client");
      }
    }
  }

 private:
  const UniqueFd& pipe_;
  const StopEvent& stop_;
};

std::string failure_json(const ProxyFailure& failure) {
  using templates::Value;
  return templates::to_json(Value::of(templates::ValueRecord{
      .type = "proxyError",
      .fields = {{.name = "code", .value = Value::of(failure.code)},
                 {.name = "message", .value = Value::of(failure.message)}}}));
}

/// A write to a client that is gone is an error, not the end of the process.
void block_broken_pipe_signals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGPIPE);
  ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
}

}  // namespace

void StopEvent::Wake::operator()() const noexcept {
  const std::uint64_t one = 1;
  // It can fail only if the counter is full, and then the descriptor is readable already.
  (void)!::write(fd, &one, sizeof(one));
}

StopEvent::StopEvent(const std::stop_token& stop)
    : event_(event_fd()), callback_(stop, Wake{.fd = event_.get()}) {}

void StopEvent::wait_for(int fd, short events) const {
  std::array<pollfd, 2> waits = {{{.fd = fd, .events = events, .revents = 0},
                                  {.fd = event_.get(), .events = POLLIN, .revents = 0}}};
  while (::poll(waits.data(), waits.size(), -1) < 0) {
    if (errno != EINTR) throw_errno("wait for the client");
  }
  if (waits[1].revents != 0) throw Cancelled();
}

PacketSocket::PacketSocket(UniqueFd socket, const StopEvent& stop)
    : socket_(std::move(socket)), stop_(stop) {
  int type = 0;
  socklen_t size = sizeof(type);
  if (::getsockopt(socket_.get(), SOL_SOCKET, SO_TYPE, &type, &size) != 0)
    throw_errno(cat("descriptor ", socket_.get(), " of the client"));
  if (type != SOCK_SEQPACKET) {
    throw Error(Errc::invalid_argument,
                cat("descriptor ", socket_.get(), " is no socket of type SOCK_SEQPACKET"));
  }
}

std::optional<std::string> PacketSocket::receive() {
  std::string packet(kMaxProxyPacket, '\0');
  for (;;) {
    stop_.wait_for(socket_.get(), POLLIN);
    const ssize_t size = ::recv(socket_.get(), packet.data(), packet.size(), MSG_TRUNC);
    if (size < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (size < 0 && errno == ECONNRESET) return std::nullopt;
    if (size < 0) throw_errno("reading socket");
    if (size == 0) return std::nullopt;
    if (static_cast<std::size_t>(size) > packet.size()) {
      throw Error(Errc::limit_exceeded, cat("reading socket: a packet of ", size,
                                            " bytes; at most ", kMaxProxyPacket, " are read"));
    }
    packet.resize(static_cast<std::size_t>(size));
    return packet;
  }
}

void PacketSocket::send(std::string_view text, const std::vector<UniqueFd>& fds) {
  constexpr std::size_t kMostFds = 2;
  alignas(cmsghdr) std::array<char, CMSG_SPACE(kMostFds * sizeof(int))> control{};
  iovec content{.iov_base = const_cast<char*>(text.data()), .iov_len = text.size()};
  msghdr message{};
  message.msg_iov = &content;
  message.msg_iovlen = 1;
  if (!fds.empty()) {
    message.msg_control = control.data();
    message.msg_controllen = CMSG_SPACE(fds.size() * sizeof(int));
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(fds.size() * sizeof(int));
    for (std::size_t i = 0; i < fds.size(); ++i) {
      const int fd = fds[i].get();
      std::memcpy(CMSG_DATA(header) + i * sizeof(fd), &fd, sizeof(fd));
    }
  }
  for (;;) {
    if (::sendmsg(socket_.get(), &message, MSG_NOSIGNAL) >= 0) return;
    if (errno == EAGAIN) {
      stop_.wait_for(socket_.get(), POLLOUT);
    } else if (errno != EINTR) {
      throw_errno("writing to socket");
    }
  }
}

ProxyFailure proxy_failure(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const Error& e) {
    const auto* number = std::get_if<ErrnoDetail>(&e.detail());
    const bool passes = e.code() == Errc::unavailable || e.code() == Errc::rate_limited;
    if (number != nullptr && number->value == EPIPE) return {.code = "EPIPE", .message = e.what()};
    return {.code = passes ? "retryable" : "other", .message = e.what()};
  } catch (const std::exception& e) {
    return {.code = "other", .message = e.what()};
  }
}

FilledPipe::FilledPipe(std::unique_ptr<Source> source, Report report, const StopEvent& stop)
    : stop_(stop) {
  PipeEnds data = make_client_pipe();
  data_ = std::move(data.write);
  read_ends_.push_back(std::move(data.read));
  if (report == Report::pipe) {
    PipeEnds failures = make_client_pipe();
    report_ = std::move(failures.write);
    read_ends_.push_back(std::move(failures.read));
  }
  thread_ = std::jthread([this, source = std::move(source), report] { fill(*source, report); });
}

void FilledPipe::fill(Source& source, Report report) {
  block_broken_pipe_signals();
  try {
    PipeSink sink(data_, stop_);
    pump(source, sink);
  } catch (...) {
    failure_ = std::current_exception();
  }
  if (report == Report::pipe) {
    data_.reset();
    tell_failure();
    report_.reset();
  }
  done_ = true;
}

void FilledPipe::tell_failure() const {
  if (!failure_) return;
  try {
    PipeSink(report_, stop_).write(bytes_of(failure_json(proxy_failure(failure_))));
  } catch (const std::exception&) {  // nobody reads it
    return;
  }
}

std::vector<UniqueFd> FilledPipe::take_read_ends() { return std::move(read_ends_); }

void FilledPipe::finish() {
  thread_.join();
  data_.reset();
  if (failure_) std::rethrow_exception(failure_);
}

}  // namespace lade::tools::compat
