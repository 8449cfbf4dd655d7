#include "libimage/build/debug_shell.h"

#include <memory>
#include <utility>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/build/environment.h"

namespace lade::build {

sandbox::StepStatus DebugShellRunner::run(const sandbox::RuntimeConfig& step,
                                          const sandbox::StepCall& call,
                                          const std::stop_token& stop) {
  sandbox::StepStatus status = inner_.run(step, call, stop);
  if (status.exit_status != 0 && !stop.stop_requested() && !opened_.exchange(true))
    open_shell(step, status.exit_status, call, stop);
  return status;
}

void DebugShellRunner::open_shell(sandbox::RuntimeConfig step, int status,
                                  const sandbox::StepCall& call, const std::stop_token& stop) {
  std::unique_ptr<LocalStore::Workspace> room;
  bool before = options_.state == ShellState::before;
  if (before && step.root.overlay) {
    room = store_.workspace();
    step.root.overlay->upper = room->fs_path();
    step.root.overlay->work = room->work_path();
  } else {
    before = false;
  }
  step.process.args = {"/bin/sh", "-i"};
  step.process.terminal = true;
  if (!options_.term.empty()) set_variable(step.process.env, "TERM", options_.term);
  options_.say(cat("the step ended with status ", status, ": a shell in the state ",
                   before ? "before" : "after", " it; exit or Ctrl-D to leave"));
  try {
    sandbox::StepStatus ended;
    options_.with_terminal([&](int console_socket) {
      ended = inner_.run(step, {.output = call.output, .console_socket = console_socket}, stop);
    });
    if (ended.exit_status == 127) options_.say("the image has no /bin/sh");
  } catch (const Error& e) {  // the step's own failure is what the build ends with
    options_.say(cat("no shell: ", e.what()));
  }
}

}  // namespace lade::build
