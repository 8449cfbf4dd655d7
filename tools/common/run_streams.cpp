#include "tools/common/run_streams.h"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <utility>

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "libimage/base/error.h"

namespace lade::tools {
namespace {

constexpr std::size_t kPipeBytes = std::size_t{64} * 1024;

UniqueFd make_event() {
  UniqueFd event(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!event) throw_errno("create eventfd");
  return event;
}

void notify(const UniqueFd& event) {
  const std::uint64_t one = 1;
  (void)!::write(event.get(), &one, sizeof one);
}

/// A pipe, a socket or a device that is no terminal.
bool can_be_given_away(int stream) {
  struct stat found {};
  if (::fstat(stream, &found) != 0) return false;
  return S_ISFIFO(found.st_mode) || S_ISSOCK(found.st_mode) ||
         (S_ISCHR(found.st_mode) && ::isatty(stream) == 0);
}

/// A reader that is gone shall be an error of write(2), in this thread.
void block_broken_pipe() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGPIPE);
  (void)::pthread_sigmask(SIG_BLOCK, &set, nullptr);
}

bool write_all(int to, const char* data, std::size_t size) {
  while (size > 0) {
    const ssize_t written = ::write(to, data, size);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0 && errno == EAGAIN) {
      pollfd ready{to, POLLOUT, 0};
      (void)::poll(&ready, 1, -1);
      continue;
    }
    if (written <= 0) return false;
    data += written;
    size -= static_cast<std::size_t>(written);
  }
  return true;
}

/// Passes bytes on until there are no more, nobody takes them, or `wake` (-1: never) is notified.
void pump(int from, int to, int wake) {
  block_broken_pipe();
  std::array<char, kPipeBytes> buffer{};
  for (;;) {
    std::array<pollfd, 3> watched = {{{from, POLLIN, 0}, {wake, POLLIN, 0}, {to, 0, 0}}};
    if (::poll(watched.data(), watched.size(), -1) < 0 && errno != EINTR) return;
    if (watched[1].revents != 0) return;
    if ((watched[2].revents & (POLLERR | POLLNVAL)) != 0) return;
    if (watched[0].revents == 0) continue;
    const ssize_t size = ::read(from, buffer.data(), buffer.size());
    if (size < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (size <= 0 || !write_all(to, buffer.data(), static_cast<std::size_t>(size))) return;
  }
}

sigset_t passed_signals() {
  sigset_t set;
  sigemptyset(&set);
  // Not those of job control: they are about this process.
  for (const int signal : {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGALRM, SIGWINCH})
    sigaddset(&set, signal);
  return set;
}

}  // namespace

RunStreams::RunStreams(Input input) : wake_(make_event()) {
  if (input == Input::passed_on)
    input_ = can_be_given_away(STDIN_FILENO) ? STDIN_FILENO : pass_input();
  output_ = can_be_given_away(STDOUT_FILENO) ? STDOUT_FILENO : pass_output(STDOUT_FILENO);
  errors_ = can_be_given_away(STDERR_FILENO) ? STDERR_FILENO : pass_output(STDERR_FILENO);
}

RunStreams::~RunStreams() { finish(); }

void RunStreams::finish() {
  notify(wake_);
  theirs_.clear();  // first: whoever writes to nobody ends
  reader_.reset();
  writers_.clear();
}

int RunStreams::pass_output(int stream) {
  PipeEnds pipe = make_pipe();
  writers_.emplace_back([from = std::move(pipe.read), stream] { pump(from.get(), stream, -1); });
  return theirs_.emplace_back(std::move(pipe.write)).get();
}

int RunStreams::pass_input() {
  PipeEnds pipe = make_pipe();
  reader_.emplace(
      [to = std::move(pipe.write), wake = wake_.get()] { pump(STDIN_FILENO, to.get(), wake); });
  return theirs_.emplace_back(std::move(pipe.read)).get();
}

SignalPipe::SignalPipe(int stop_signal) : wake_(make_event()) {
  PipeEnds pipe = make_pipe();
  read_end_ = std::move(pipe.read);
  write_end_ = std::move(pipe.write);
  const sigset_t set = passed_signals();
  (void)::pthread_sigmask(SIG_BLOCK, &set, nullptr);
  UniqueFd signals(::signalfd(-1, &set, SFD_CLOEXEC));
  if (!signals) throw_errno("watch signals");
  reader_ = std::jthread(
      [from = std::move(signals), to = write_end_.get(), wake = wake_.get(), stop_signal] {
        for (;;) {
          std::array<pollfd, 2> watched = {{{from.get(), POLLIN, 0}, {wake, POLLIN, 0}}};
          if (::poll(watched.data(), watched.size(), -1) < 0 && errno != EINTR) return;
          if (watched[1].revents != 0) return;
          signalfd_siginfo info{};
          if (watched[0].revents == 0 || ::read(from.get(), &info, sizeof info) != sizeof info)
            continue;
          const auto number = static_cast<int>(info.ssi_signo);
          const auto byte = static_cast<std::uint8_t>(number == SIGTERM ? stop_signal : number);
          (void)!::write(to, &byte, 1);
        }
      });
}

SignalPipe::~SignalPipe() { notify(wake_); }

}  // namespace lade::tools
