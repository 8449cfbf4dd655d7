/// A shell where a step failed (lade build --debug-shell).
#pragma once
#include <atomic>
#include <functional>
#include <string>
#include <string_view>

#include "libimage/local/local_store.h"
#include "libimage/sandbox/step_runner.h"

namespace lade::build {

/// Which tree the shell sees.
enum class ShellState {
  before,  ///< as it was when the step began
  after,   ///< with what the step had changed when it failed
};

struct DebugShellOptions {
  ShellState state = ShellState::before;
  /// Calls what it is given with a socket for StepCall::console_socket, and connects the terminal
  /// that comes out of it with the user's meanwhile.
  std::function<void(const std::function<void(int console_socket)>&)> with_terminal = {};
  std::string term = {};  ///< TERM for the shell; "" for none
  /// Tells the user something, in a line without its end.
  std::function<void(std::string_view)> say = {};
};

/// Runs steps by another runner. When the first one fails it opens a shell in the step's sandbox,
/// with its environment, mounts and user, on a terminal of its own that is connected with the
/// user's (so Ctrl-C and Ctrl-Z are for what runs in the shell), and gives the step's status when
/// the shell has ended. What the shell changes is dropped. Steps that are running go on. Without
/// overlayfs there is no tree from before the step: the shell then sees the one after it, and says
/// so.
class DebugShellRunner final : public sandbox::StepRunner {
 public:
  /// Borrows `inner` and `store`.
  DebugShellRunner(sandbox::StepRunner& inner, LocalStore& store, DebugShellOptions options)
      : inner_(inner), store_(store), options_(std::move(options)) {}
  sandbox::StepStatus run(const sandbox::RuntimeConfig& step, const sandbox::StepCall& call,
                          const std::stop_token& stop) override;

 private:
  void open_shell(sandbox::RuntimeConfig step, int status, const sandbox::StepCall& call,
                  const std::stop_token& stop);

  sandbox::StepRunner& inner_;
  LocalStore& store_;
  const DebugShellOptions options_;
  std::atomic<bool> opened_ = false;
};

}  // namespace lade::build
