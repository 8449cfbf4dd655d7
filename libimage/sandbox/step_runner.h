#pragma once
#include <chrono>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "libimage/io/stream.h"
#include "libimage/sandbox/runtime_config.h"

namespace lade::sandbox {

struct StepStatus {
  int exit_status =
      0;  ///< the command's; 128 + n if signal n ended it; 126 not executable, 127 not found
  std::vector<std::string> warnings = {};  ///< limits that were asked for and could not be set
};

/// What is around a step and not of it.
struct StepCall {
  Sink& output;             ///< its stdout and stderr, as they come
  int input = -1;           ///< a descriptor that it reads; -1: the null device
  int output_fd = -1;       ///< where its stdout goes instead of `output`
  int errors_fd = -1;       ///< where its stderr goes instead of `output`
  int console_socket = -1;  ///< with process.terminal: a connected socket that the terminal's
                            ///< controlling end is sent to (receive_console())
  int signals = -1;         ///< a pipe: each byte read is the number of a signal for the command
  std::optional<std::chrono::milliseconds> timeout = {};  ///< then all of it is killed:
                                                          ///< Error{unavailable}
};

/// Executes one step. A step that could not be set up throws (Error{unsupported, denied, io} naming
/// the failed step of the set-up): never to be taken for the command's own status. Cancelled kills
/// everything in the step's pid namespace. No process, mount or file of the set-up is left behind.
class StepRunner {
 public:
  virtual ~StepRunner() = default;
  virtual StepStatus run(const RuntimeConfig& step, const StepCall& call,
                         const std::stop_token& stop) = 0;
};

/// The runner that needs nothing installed: this program re-executed, single-threaded, as the
/// step's set-up and pid 1. Thread-safe.
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
