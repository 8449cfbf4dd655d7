/// Hooks of the runtime specification (config.md, "POSIX-platform Hooks").
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "libimage/sandbox/runtime_config.h"

namespace lade::sandbox {

/// The state document for hooks: `head` is it up to its last members. `pid` 0: there is no process.
std::string hook_state(const std::string& head, std::string_view status, int pid);

/// Runs them one after another, each with `state` on its input and an environment of its own, until
/// one fails: Error naming `kind` and it. One that outlives its timeout is killed.
void run_hooks(const std::vector<Hook>& hooks, std::string_view kind, const std::string& state);

}  // namespace lade::sandbox
