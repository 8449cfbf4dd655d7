#include "tools/common/step_runner.h"

#include <unistd.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/io/path.h"
#include "libimage/io/program.h"
#include "libimage/runtime/command_runner.h"

namespace lade::tools {
namespace {

/// `name` with a slash as it is, else looked up as a shell does and where runtimes usually are.
std::string runtime_path(const std::string& name, const Environment& environment) {
  if (name.find('/') != std::string::npos) {
    const auto path = real_path(name);
    if (path && ::access(path->c_str(), X_OK) == 0) return *path;
    throw UsageError(cat("option --runtime: ", quoted(name), " is no program"));
  }
  try {
    return find_program(name, cat(environment.variable("PATH"), ":", kUsualPath));
  } catch (const Error& e) {
    if (e.code() != Errc::not_found) throw;
    throw UsageError(cat("option --runtime: ", quoted(name), " is not installed"));
  }
}

/// Names of other programs for what every runner here does, and for what none does.
void check_isolation(const std::string& kind) {
  if (kind == "default" || kind == "oci" || kind == "rootless") return;
  if (kind == "chroot" || kind == "vm")
    throw Error(Errc::unsupported, cat("option --isolation ", kind,
                                       " is not implemented: containers have namespaces of their "
                                       "own, or none are made"));
  throw UsageError(cat("option --isolation is oci or rootless, not ", quoted(kind)));
}

}  // namespace

std::unique_ptr<sandbox::StepRunner> make_step_runner(const Arguments& arguments,
                                                      const Environment& environment) {
  const std::string name = arguments.value_or("runtime", environment.variable("LADE_RUNTIME"));
  const std::vector<std::string>& flags = arguments.values("runtime-flag");
  check_isolation(arguments.value_or("isolation", "default"));
  if (name.empty()) {
    if (!flags.empty()) throw UsageError("option --runtime-flag needs --runtime");
    return sandbox::builtin_runner();
  }
  if (name.ends_with(".v2"))
    throw UsageError(cat("option --runtime: ", quoted(name),
                         " is driven by containerd's shim protocol, which is not implemented"));
  runtime::CommandRunnerOptions options{.program = runtime_path(name, environment)};
  for (const std::string& flag : flags)
    options.flags.push_back(flag.starts_with("-") ? flag : cat("--", flag));
  const std::string temp = environment.variable("TMPDIR");
  options.scratch = temp.empty() ? "/tmp" : temp;
  return runtime::command_runner(std::move(options));
}

}  // namespace lade::tools
