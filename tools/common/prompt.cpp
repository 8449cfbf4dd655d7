#include "tools/common/prompt.h"

#include <cerrno>

#include <poll.h>
#include <termios.h>
#include <unistd.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"

#include "tools/common/terminal.h"

namespace lade::tools {
namespace {

constexpr std::size_t kMaxLineBytes = std::size_t{64} * 1024;
constexpr int kStopCheckMilliseconds = 50;

/// The terminal without echo.
class Silence {
 public:
  Silence() {
    if (::tcgetattr(STDIN_FILENO, &before_) != 0) throw_errno("read the terminal's mode");
    termios quiet = before_;
    quiet.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    quiet.c_lflag |= ICANON | ISIG;
    quiet.c_iflag |= ICRNL;
    if (::tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet) != 0) throw_errno("silence the terminal");
  }
  ~Silence() { ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &before_); }
  Silence(const Silence&) = delete;
  Silence& operator=(const Silence&) = delete;

 private:
  termios before_{};
};

/// At most `size` bytes of standard input; 0: its end.
std::size_t read_some(char* out, std::size_t size, const std::stop_token& stop) {
  for (;;) {
    if (stop.stop_requested()) throw Cancelled();
    pollfd waiting{.fd = STDIN_FILENO, .events = POLLIN, .revents = 0};
    const int ready = ::poll(&waiting, 1, kStopCheckMilliseconds);
    if (ready == 0 || (ready < 0 && errno == EINTR)) continue;
    if (ready < 0) throw_errno("wait for standard input");
    const ssize_t got = ::read(STDIN_FILENO, out, size);
    if (got >= 0) return static_cast<std::size_t>(got);
    if (errno != EINTR && errno != EAGAIN) throw_errno("read standard input");
  }
}

std::string read_line(const std::stop_token& stop) {
  std::string line;
  for (char c = 0;;) {  // a byte at a time: what follows the line is for others
    if (read_some(&c, 1, stop) == 0) throw Error(Errc::io, "standard input ended");
    if (c == '\n') return line;
    if (line.size() == kMaxLineBytes) throw Error(Errc::limit_exceeded, "the line is too long");
    line += c;
  }
}

}  // namespace

std::string ask(std::string_view question, const std::stop_token& stop) {
  print(question);
  return read_line(stop);
}

std::string ask_secret(std::string_view question, const std::stop_token& stop) {
  if (::isatty(STDIN_FILENO) == 0) {
    throw Error(Errc::unsupported,
                cat("cannot ask for ", lower_case(trimmed(question.substr(0, question.find(':')))),
                    ": standard input is no terminal"));
  }
  std::string line;
  {
    const Silence silence;  // before the question: what is typed until then is thrown away
    print(question);
    line = read_line(stop);
  }
  print("\n");
  return line;
}

std::string read_input(std::size_t limit, const std::stop_token& stop) {
  std::string text;
  char chunk[4096];
  while (const std::size_t got = read_some(chunk, sizeof chunk, stop)) {
    text.append(chunk, got);
    if (text.size() > limit) {
      throw Error(Errc::limit_exceeded, cat("standard input has more than ", limit, " bytes"));
    }
  }
  while (text.ends_with('\n') || text.ends_with('\r')) text.pop_back();
  return text;
}

}  // namespace lade::tools
