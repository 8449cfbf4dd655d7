/// The standard streams and signals of this process and of the command that it runs.
#pragma once
#include <optional>
#include <thread>
#include <vector>

#include "libimage/base/unique_fd.h"

namespace lade::tools {

/// A command's streams. What is a pipe, a socket or a device is the command's own; terminals and
/// files, which a container could open anew with other rights, are behind pipes that threads of
/// this object fill and empty.
class RunStreams {
 public:
  enum class Input { passed_on, none };
  explicit RunStreams(Input input);
  RunStreams(const RunStreams&) = delete;
  RunStreams& operator=(const RunStreams&) = delete;
  ~RunStreams();

  [[nodiscard]] int input() const noexcept { return input_; }  ///< -1: none
  [[nodiscard]] int output() const noexcept { return output_; }
  [[nodiscard]] int errors() const noexcept { return errors_; }

  /// Once the command has ended: passes on what is left of its output.
  void finish();

 private:
  int pass_output(int stream);
  int pass_input();

  int input_ = -1;
  int output_ = -1;
  int errors_ = -1;
  UniqueFd wake_;                 ///< ends the thread that reads the input
  std::vector<UniqueFd> theirs_;  ///< the command's ends of pipes
  std::optional<std::jthread> reader_ = {};
  std::vector<std::jthread> writers_;
};

/// While it lives, signals that ask a process to stop or to do something are not this process's but
/// go into a pipe (StepCall::signals). Must be made before other threads that should not get them.
class SignalPipe {
 public:
  /// `stop_signal` is sent in place of SIGTERM.
  explicit SignalPipe(int stop_signal);
  SignalPipe(const SignalPipe&) = delete;
  SignalPipe& operator=(const SignalPipe&) = delete;
  ~SignalPipe();

  [[nodiscard]] int read_end() const noexcept { return read_end_.get(); }

 private:
  UniqueFd read_end_;
  UniqueFd write_end_;
  UniqueFd wake_;
  std::jthread reader_;
};

}  // namespace lade::tools
