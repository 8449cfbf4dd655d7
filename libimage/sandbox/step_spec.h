/// What the re-executed process reads from its parent: the configuration and what only the parent
/// could prepare. Passed as length-prefixed binary values in an inherited memory file.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "libimage/sandbox/hosted_step.h"
#include "libimage/sandbox/runtime_config.h"

namespace lade::sandbox {

/// argv[0] of the re-executed program; argv[1] is the descriptor of the memory file.
inline constexpr std::string_view kStepProgramName = "lade-sandbox-step";

/// What the re-executed process becomes.
enum class InitMode : std::uint8_t {
  step,       ///< the command's parent: supervises it, tells its status and takes traces away
  container,  ///< the command itself, once it is told to start
  joined,     ///< the command itself, in a container that runs already
  hosted,     ///< the parent of a container that another runtime makes
};

/// Whether the command has a session keyring of its own, or could use its caller's keys.
enum class Keyring : std::uint8_t { own, callers };

struct StepSpec {
  RuntimeConfig config = {};
  std::string seccomp_filter = {};  ///< an array of sock_filter; empty: no filter
  std::uint32_t seccomp_flags = 0;  ///< for seccomp(2)
  std::vector<int> mount_fds = {};  ///< one for each mount: the detached bind mount, or -1
  int channel = -1;                 ///< the set-up channel
  InitMode mode = InitMode::step;
  bool waits = false;              ///< for the parent's word before anything is done: ids mapped,
                                   ///< cgroup entered
  std::vector<int> join_fds = {};  ///< namespaces to join, besides the pid namespace
  std::vector<Namespace> join_kinds = {};
  bool new_cgroup_namespace = false;  ///< made once the group is entered
  std::vector<int> cgroup_fds = {};   ///< step: Cgroup::entrances() for the command alone, so that
                                      ///< its limits do not hit the process that watches over it
  bool has_input = false;             ///< step: descriptor 0 is the command's input
  int start_fifo = -1;                ///< container: a byte from it starts the command
  int console_socket = -1;            ///< where a terminal's other end is sent
  std::uint32_t preserve_fds = 0;     ///< descriptors from 3 on that the command inherits
  Keyring keyring = Keyring::own;
  std::string state_head = {};  ///< the state document for hooks without its end: status, pid
  Hosting hosting = {};         ///< of a hosted step
};

std::string encode(const StepSpec& spec);

/// Error{invalid_content} unless `bytes` is exactly what encode() writes.
StepSpec decode_step_spec(std::string_view bytes);

}  // namespace lade::sandbox
