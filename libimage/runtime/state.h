/// Containers between commands: a directory for each under the state root.
#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

#include "libimage/base/unique_fd.h"
#include "libimage/sandbox/cgroup.h"
#include "libimage/sandbox/runtime_config.h"

namespace lade::runtime {

enum class Status : std::uint8_t { creating, created, running, paused, stopped };
std::string_view status_name(Status status) noexcept;

/// What is kept of a container, as state.json.
struct Record {
  std::string oci_version = {};
  std::string id = {};
  std::string bundle = {};   ///< absolute
  std::string rootfs = {};   ///< absolute
  std::string created = {};  ///< RFC 3339
  pid_t pid = 0;
  std::uint64_t pid_start = 0;  ///< in clock ticks since boot: tells a process from a later one of
                                ///< the same number
  std::map<std::string, std::string> cgroups = {};  ///< Cgroup::paths()
  std::map<std::string, std::string> annotations = {};
  bool operator==(const Record&) const = default;
};

std::string serialise(const Record& record);
/// Error{invalid_content} for anything else than serialise() writes.
Record parse_record(std::string_view json);

/// The state document (runtime-spec runtime.md, "State") with the members that engines read besides
/// the specification's: rootfs, created, owner.
std::string state_document(const Record& record, Status status);
/// The same for hooks, without its end: see sandbox::hook_state().
std::string state_head(const Record& record);

/// The directory of one container.
class ContainerState {
 public:
  ContainerState(std::string path, DirFd dir) : path_(std::move(path)), dir_(std::move(dir)) {}

  [[nodiscard]] const DirFd& dir() const noexcept { return dir_; }
  [[nodiscard]] const std::string& path() const noexcept { return path_; }
  [[nodiscard]] Record record() const;
  void save(const Record& record) const;
  [[nodiscard]] sandbox::RuntimeConfig config() const;
  void save_config(std::string_view json) const;
  [[nodiscard]] Status status(const Record& record) const;

  /// A FIFO that the created container waits on; gone once it is started.
  static constexpr const char* kStartFifo = "start";

 private:
  std::string path_;
  DirFd dir_;
};

class StateRoot {
 public:
  /// Made with mode 0700 where missing.
  explicit StateRoot(std::string path);

  /// A new, empty directory, locked for this process; Error{already_exists, invalid_argument} for
  /// the id. Sweeps one that a killed `create` left.
  [[nodiscard]] ContainerState create(const std::string& id);
  /// Error{not_found}
  [[nodiscard]] ContainerState open(const std::string& id) const;
  [[nodiscard]] std::vector<std::string> ids() const;  ///< sorted
  void remove(const std::string& id) const;
  /// Takes away what a `create` that was killed left of `id`; false if it is not that.
  bool sweep(const std::string& id) const;

 private:
  std::string path_;
  DirFd dir_;
};

/// Error{invalid_argument} unless `id` is a name of letters, digits and "_+-." of at most 255.
void check_id(const std::string& id);

/// Field 22 of /proc/PID/stat; nullopt if the process is gone or a zombie.
std::optional<std::uint64_t> start_of(pid_t pid);

}  // namespace lade::runtime
