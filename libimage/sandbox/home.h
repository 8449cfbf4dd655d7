/// HOME of a container's process.
#pragma once
#include "libimage/sandbox/runtime_config.h"

namespace lade::sandbox {

/// Adds HOME to an environment that has none, as every runtime does: the user's directory by the
/// container's /etc/passwd, else "/". In a process that is inside the root.
void add_home(Process& process);

}  // namespace lade::sandbox
