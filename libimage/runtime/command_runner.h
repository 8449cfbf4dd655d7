/// Steps run by another OCI runtime, crun or runc, through its command line.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "libimage/sandbox/step_runner.h"

namespace lade::runtime {

struct CommandRunnerOptions {
  std::string program = {};             ///< absolute path of the runtime
  std::vector<std::string> flags = {};  ///< given before its command (--runtime-flag)
  std::string scratch = {};             ///< an existing directory for bundles
};

/// The runner's bundles are made below `scratch` and gone with their steps. Layers come out as the
/// built-in runner makes them, byte for byte. Thread-safe.
std::unique_ptr<sandbox::StepRunner> command_runner(CommandRunnerOptions options);

}  // namespace lade::runtime
