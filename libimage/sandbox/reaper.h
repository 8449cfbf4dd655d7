/// The first process of a step's pid namespace while the command runs.
#pragma once
#include <sys/types.h>

namespace lade::sandbox {

/// Blocks the signals that supervise() takes; before the command is started.
void block_supervised_signals();

/// Waits for `command`, reaping whatever else ends and passing on signals meant to stop it. If
/// `channel` hangs up (the step is to stop, or its parent is dead) everything is killed. When it
/// returns no process but this one is left; the value is the command's exit status, 128 + n for
/// signal n.
int supervise(pid_t command, int channel);

/// Kills and reaps every other process of the pid namespace.
void kill_everything();

}  // namespace lade::sandbox
