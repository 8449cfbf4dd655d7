/// Steps whose container another OCI runtime makes: this program mounts the root and what is shown
/// in it, and takes the traces away; the runtime does all between by its command line (create,
/// start, kill, delete).
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "libimage/sandbox/runtime_config.h"
#include "libimage/sandbox/step_runner.h"

namespace lade::sandbox {

/// Where the parts of a hosted step are, below its bundle.
inline constexpr const char* kHostedRoot = "rootfs";
inline constexpr const char* kHostedPieces = "pieces";  ///< piece i is of mount i
inline constexpr const char* kHostedState = "state";    ///< the runtime's --root
inline constexpr const char* kHostedLog = "log";        ///< what the runtime logs, as JSON lines

/// What makes a step a hosted one.
struct Hosting {
  std::string program = {};             ///< the runtime's absolute path; "": not hosted
  std::vector<std::string> flags = {};  ///< before its command
  std::string bundle = {};  ///< absolute: config.json, kHostedRoot and kHostedPieces, made before
  std::string id = {};
};

/// True for mounts that the hosted step's first process makes and its config.json binds.
bool is_piece(const Mount& mount);

/// Executes one step as StepRunner::run() does. The runtime's own failure is Error{command_failed}
/// with the last line of its log.
StepStatus run_hosted(const RuntimeConfig& step, const Hosting& hosting, const StepCall& call,
                      const std::stop_token& stop);

}  // namespace lade::sandbox
