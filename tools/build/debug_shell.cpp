#include "tools/build/debug_shell.h"

#include <string>

#include "libimage/base/text.h"

#include "tools/common/console_relay.h"
#include "tools/common/terminal.h"

namespace lade::tools {

std::optional<build::ShellState> debug_shell_state(const Arguments& arguments) {
  const auto word = arguments.value("debug-shell");
  if (!word) return std::nullopt;
  if (*word != "true" && *word != "before" && *word != "after")
    throw UsageError(cat("option --debug-shell is before or after, not ", quoted(*word)));
  if (!has_own_terminal())
    throw UsageError("option --debug-shell needs a terminal, as standard input and standard error");
  return *word == "after" ? build::ShellState::after : build::ShellState::before;
}

std::unique_ptr<sandbox::StepRunner> debug_shell_runner(build::ShellState state,
                                                        const Environment& environment,
                                                        sandbox::StepRunner& runner,
                                                        LocalStore& store) {
  return std::make_unique<build::DebugShellRunner>(
      runner, store,
      build::DebugShellOptions{
          .state = state,
          // Standard output is for data.
          .with_terminal =
              [](const std::function<void(int)>& run) {
                with_relayed_console(STDERR_FILENO, Keys::passed_on, run);
              },
          .term = environment.variable("TERM"),
          .say = [](std::string_view text) { print_error(cat("lade: ", text, "\n")); }});
}

}  // namespace lade::tools
