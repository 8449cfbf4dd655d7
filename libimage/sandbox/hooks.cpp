#include "libimage/sandbox/hooks.h"

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/sandbox/child_program.h"

namespace lade::sandbox {

std::string hook_state(const std::string& head, std::string_view status, int pid) {
  const std::string process = pid == 0 ? "" : cat(",\"pid\":", pid);
  return cat(head, ",\"status\":\"", status, "\"", process, "}");
}

void run_hooks(const std::vector<Hook>& hooks, std::string_view kind, const std::string& state) {
  for (const Hook& hook : hooks) {
    with_context(
        [&] { return cat("hook ", kind, " ", quoted(hook.path)); },
        [&] {
          run_program({.path = hook.path,
                       .args = hook.args.empty() ? std::vector<std::string>{hook.path} : hook.args,
                       .env = hook.env,
                       .input = state,
                       .timeout = hook.timeout});
        });
  }
}

}  // namespace lade::sandbox
