/// The first process of a step's pid namespace while the command runs.
#pragma once
#include <functional>

#include <sys/types.h>

#include "libimage/base/unique_fd.h"

namespace lade::sandbox {

/// Blocks the signals that supervise() takes; before the command is started.
void block_supervised_signals();

/// A descriptor that has the signals which block_supervised_signals() blocks.
UniqueFd open_supervised_signals();

/// Reads what is there of it: `pass` gets the signals that are meant for the command.
void pass_signals_on(int signals, const std::function<void(int signal)>& pass);

/// Something else to do while the command runs: `ready` is called when `descriptor` can be read.
struct AlsoWatched {
  int descriptor = -1;
  std::function<void()> ready = {};
};

/// Waits for `command`, reaping whatever else ends and passing on signals meant to stop it. If
/// `channel` hangs up (the step is to stop, or its parent is dead) everything is killed. When it
/// returns no process but this one is left; the value is the command's exit status, 128 + n for
/// signal n.
int supervise(pid_t command, int channel, const AlsoWatched& also = {});

/// Kills and reaps every other process of the pid namespace.
void kill_everything();

}  // namespace lade::sandbox
