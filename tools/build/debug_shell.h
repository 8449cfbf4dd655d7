#pragma once
#include <memory>
#include <optional>

#include "libimage/build/debug_shell.h"

#include "tools/common/options.h"

namespace lade::tools {

/// The state that --debug-shell asks for; nullopt without the option. Throws UsageError for other
/// words, and where there is no terminal for a shell.
std::optional<build::ShellState> debug_shell_state(const Arguments& arguments);

/// A runner that opens the shell on this process's terminal.
std::unique_ptr<sandbox::StepRunner> debug_shell_runner(build::ShellState state,
                                                        const Environment& environment,
                                                        sandbox::StepRunner& runner,
                                                        LocalStore& store);

}  // namespace lade::tools
