/// A container's terminal.
#pragma once
#include "libimage/base/unique_fd.h"
#include "libimage/sandbox/mount_point.h"
#include "libimage/sandbox/runtime_config.h"

namespace lade::sandbox {

/// Opens a new terminal of the container's own /dev/pts, sends the controlling end to `socket` (as
/// one message with its path) and returns the other. Where `points` is given, that one becomes
/// /dev/console too.
UniqueFd open_console(const Process& process, int socket, MountPoints* points);

/// Makes it this session's controlling terminal and descriptors 0 to 2.
void take_console(int console);

/// Sends the controlling end of a terminal.
void send_console(int socket, int controlling);

/// Receives a descriptor that open_console() sent.
UniqueFd receive_console(int socket);

}  // namespace lade::sandbox
