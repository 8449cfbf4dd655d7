/// A container's terminal and that of this process.
#pragma once
#include "libimage/base/unique_fd.h"

namespace lade::tools {

/// Two connected sockets: `theirs` for whoever makes the terminal, `ours` to get its controlling
/// end from.
struct ConsoleSockets {
  UniqueFd ours;
  UniqueFd theirs;
};
ConsoleSockets make_console_sockets();

/// Receives the terminal's controlling end from `ours` and passes bytes and the size between it and
/// this process's terminal, which passes every key on meanwhile, until the container's is closed.
void relay_console(const UniqueFd& ours);

}  // namespace lade::tools
