#include "tools/common/terminal.h"

#include <cerrno>

#include <sys/ioctl.h>
#include <unistd.h>

#include "libimage/base/error.h"
#include "libimage/io/stream.h"

namespace lade::tools {
namespace {
int descriptor_of(Stream stream) {
  return stream == Stream::output ? STDOUT_FILENO : STDERR_FILENO;
}
}  // namespace

void print(std::string_view text) {
  FdSink(STDOUT_FILENO, "standard output").write(bytes_of(text));
}

void print_error(std::string_view text) noexcept {
  while (!text.empty()) {
    const ssize_t put = ::write(STDERR_FILENO, text.data(), text.size());
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) return;
    text.remove_prefix(static_cast<std::size_t>(put));
  }
}

bool has_terminal_input() noexcept { return ::isatty(STDIN_FILENO) == 1; }

bool has_own_terminal() noexcept { return has_terminal_input() && is_terminal(Stream::error); }

bool is_terminal(Stream stream) noexcept { return ::isatty(descriptor_of(stream)) == 1; }

std::size_t terminal_width(Stream stream, std::size_t fallback) noexcept {
  winsize size{};
  if (::ioctl(descriptor_of(stream), TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return fallback;
  return size.ws_col;
}

std::size_t terminal_height(Stream stream, std::size_t fallback) noexcept {
  winsize size{};
  if (::ioctl(descriptor_of(stream), TIOCGWINSZ, &size) != 0 || size.ws_row == 0) return fallback;
  return size.ws_row;
}

}  // namespace lade::tools
