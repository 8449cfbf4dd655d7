#pragma once
#include <memory>
#include <stop_token>
#include <string>

#include "libimage/io/stream.h"
#include "libimage/sandbox/runtime_config.h"

namespace lade::sandbox {

struct StepStatus {
  int exit_status =
      0;  ///< the command's; 128 + n if signal n ended it; 126 not executable, 127 not found
};

/// Executes one step. Its stdout and stderr go to `output` as they come. A step that could not be
/// set up throws (Error{unsupported, denied, io} naming the failed step of the set-up): never to be
/// taken for the command's own status. Cancelled kills everything in the step's pid namespace. No
/// process, mount or file of the set-up is left behind.
class StepRunner {
 public:
  virtual ~StepRunner() = default;
  virtual StepStatus run(const RuntimeConfig& step, Sink& output, const std::stop_token& stop) = 0;
};

/// The runner that needs nothing installed: this program re-executed, single-threaded, as the
/// step's set-up and pid 1.
std::unique_ptr<StepRunner> builtin_runner();

/// Must be called first thing in main(): if this process is the re-executed set-up of a step it
/// runs it and never returns; otherwise it returns at once.
void run_step_if_asked(int argc, char** argv);

/// What this machine allows, each with the reason where not.
struct Abilities {
  bool namespaces = false;  ///< a step can be run at all
  bool overlay = false;  ///< overlayfs can be mounted with the upper on `directory`'s file system
  std::string why_not = {};
};
Abilities probe(const std::string& directory);

}  // namespace lade::sandbox
