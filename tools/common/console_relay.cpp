#include "tools/common/console_relay.h"

#include <array>
#include <cerrno>
#include <optional>
#include <thread>
#include <utility>

#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

#include "libimage/base/error.h"
#include "libimage/io/stream.h"
#include "libimage/sandbox/console.h"

namespace lade::tools {
namespace {

/// The terminal of this process in the mode that passes every key on, for as long as it lives.
class RawTerminal {
 public:
  RawTerminal() {
    if (::tcgetattr(STDIN_FILENO, &before_) != 0) return;
    termios raw = before_;
    ::cfmakeraw(&raw);
    changed_ = ::tcsetattr(STDIN_FILENO, TCSANOW, &raw) == 0;
  }
  RawTerminal(const RawTerminal&) = delete;
  RawTerminal& operator=(const RawTerminal&) = delete;
  ~RawTerminal() {
    if (changed_) (void)::tcsetattr(STDIN_FILENO, TCSANOW, &before_);
  }

 private:
  termios before_{};
  bool changed_ = false;
};

/// Passes bytes between the terminals until the container's is closed.
void relay(const UniqueFd& console, int shown_on, Keys keys) {
  std::array<std::byte, 4096> buffer{};
  bool input_open = keys == Keys::passed_on;
  winsize shown{};
  for (;;) {
    winsize size{};
    if (::ioctl(STDIN_FILENO, TIOCGWINSZ, &size) == 0 &&
        (size.ws_row != shown.ws_row || size.ws_col != shown.ws_col)) {
      (void)::ioctl(console.get(), TIOCSWINSZ, &size);
      shown = size;
    }
    std::array<pollfd, 2> watched = {
        {{console.get(), POLLIN, 0}, {input_open ? STDIN_FILENO : -1, POLLIN, 0}}};
    // A change of size is looked for now and then: no signal handler is needed.
    if (::poll(watched.data(), watched.size(), 250) < 0 && errno != EINTR) throw_errno("wait");
    if (watched[1].revents != 0) {
      const ssize_t got = ::read(STDIN_FILENO, buffer.data(), buffer.size());
      input_open = got > 0;
      if (input_open) {
        FdSink(console.get(), "terminal").write({buffer.data(), static_cast<std::size_t>(got)});
      }
    }
    if (watched[0].revents == 0) continue;
    const ssize_t got = ::read(console.get(), buffer.data(), buffer.size());
    if (got <= 0) return;  // EIO: the last process has closed it
    FdSink(shown_on, "the terminal").write({buffer.data(), static_cast<std::size_t>(got)});
  }
}

}  // namespace

ConsoleSockets make_console_sockets() {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
    throw_errno("create socket pair");
  }
  return {UniqueFd(ends[0]), UniqueFd(ends[1])};
}

void relay_console(const UniqueFd& ours, int shown_on, Keys keys) {
  const UniqueFd console = sandbox::receive_console(ours.get());
  std::optional<RawTerminal> raw;
  if (keys == Keys::passed_on) raw.emplace();
  relay(console, shown_on, keys);
}

void with_relayed_console(int shown_on, Keys keys,
                          const std::function<void(int console_socket)>& run) {
  ConsoleSockets sockets = make_console_sockets();
  std::thread relaying([&] {
    try {
      relay_console(sockets.ours, shown_on, keys);
    } catch (const Error&) {  // no terminal came: run() says why
    }
  });
  const auto end = [&] {
    sockets.theirs.reset();
    relaying.join();
  };
  try {
    run(sockets.theirs.get());
  } catch (...) {
    end();
    throw;
  }
  end();
}

}  // namespace lade::tools
