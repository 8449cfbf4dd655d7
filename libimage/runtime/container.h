/// The operations of an OCI runtime (runtime-spec runtime.md, "Operations") and those that every
/// runtime has besides.
#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <sys/types.h>

#include "libimage/base/unique_fd.h"
#include "libimage/runtime/state.h"
#include "libimage/sandbox/runtime_config.h"
#include "libimage/sandbox/step_spec.h"

namespace lade::runtime {

using Warn = std::function<void(const std::string&)>;

struct ProcessOptions {
  std::string pid_file = {};        ///< gets the process's id, whole
  std::string console_socket = {};  ///< path of a socket that takes the terminal's end
  int console_fd = -1;              ///< or one that is connected
  std::uint32_t preserve_fds = 0;
  sandbox::Keyring keyring = sandbox::Keyring::own;
  int input = 0;
  int output = 1;
  int errors = 2;
};

/// A process whose parent this one is.
struct Child {
  pid_t pid = -1;
  UniqueFd pidfd = UniqueFd();
};

class Runtime {
 public:
  /// `warn` gets what does not end an operation.
  Runtime(std::string root, Warn warn) : root_(std::move(root)), warn_(std::move(warn)) {}

  /// Everything up to the user's program; it waits for start().
  Child create(const std::string& id, const std::string& bundle, const ProcessOptions& options);
  /// Error{invalid_argument} unless created.
  void start(const std::string& id);
  [[nodiscard]] std::string state(const std::string& id);
  enum class Reach : std::uint8_t { first_process, all_processes };
  /// Error{invalid_argument} if it is stopped.
  void kill(const std::string& id, int signal, Reach reach);
  enum class Force : std::uint8_t { refuse_running, kill_running };
  void remove(const std::string& id, Force force);
  void pause(const std::string& id);
  void resume(const std::string& id);
  Child exec(const std::string& id, const sandbox::Process& process, const ProcessOptions& options);
  void update(const std::string& id, const sandbox::Resources& resources);

  struct Listed {
    Record record;
    Status status;
  };
  [[nodiscard]] std::vector<Listed> list();
  [[nodiscard]] std::vector<pid_t> processes(const std::string& id);
  [[nodiscard]] sandbox::RuntimeConfig config(const std::string& id);

 private:
  StateRoot root_;
  Warn warn_;
};

/// Waits for the end of a child, passing on signals that reach this process meanwhile; its exit
/// status, 128 + n for signal n.
int wait_for(const Child& child);

/// The number of "TERM", "SIGTERM", "15"; Error{invalid_argument} for another word.
int signal_number(const std::string& word);

/// Reads the bundle's config.json; paths in it that are relative to the bundle become absolute.
/// Validated.
sandbox::RuntimeConfig load_bundle(const std::string& bundle);

/// What this runtime can do (runtime-spec features.md), as JSON.
std::string features_document();

}  // namespace lade::runtime
