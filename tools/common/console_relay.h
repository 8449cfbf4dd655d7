/// A container's terminal and that of this process.
#pragma once
#include <functional>

#include "libimage/base/unique_fd.h"

namespace lade::tools {

/// Two connected sockets: `theirs` for whoever makes the terminal, `ours` to get its controlling
/// end from.
struct ConsoleSockets {
  UniqueFd ours;
  UniqueFd theirs;
};
ConsoleSockets make_console_sockets();

/// What the container's terminal gets of this process's standard input.
enum class Keys { passed_on, kept };

/// Receives the terminal's controlling end from `ours` and passes bytes and the size between it and
/// this process's terminal, which passes every key on meanwhile, until the container's is closed.
/// What the container prints goes to descriptor `shown_on`.
void relay_console(const UniqueFd& ours, int shown_on = 1, Keys keys = Keys::passed_on);

/// Calls `run` with a socket for StepCall::console_socket, and passes bytes between the terminal
/// that comes out of it and this process's meanwhile, as relay_console() does.
void with_relayed_console(int shown_on, Keys keys,
                          const std::function<void(int console_socket)>& run);

}  // namespace lade::tools
