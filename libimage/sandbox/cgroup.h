/// Control groups of version 1, 2 and both at once (hybrid): where they are mounted, and one group
/// of a container in all of them.
#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include <sys/types.h>

#include "libimage/base/unique_fd.h"
#include "libimage/sandbox/runtime_config.h"

namespace lade::sandbox {

struct Hierarchy {
  std::string mount = {};                     ///< "/sys/fs/cgroup/memory"
  std::vector<std::string> controllers = {};  ///< "cpu", "cpuacct"; "name=systemd"; of version 2
                                              ///< what its root offers
  bool unified = false;                       ///< version 2
  std::string own = {};                       ///< this process's group in it: "/user.slice"
};

/// Those that this process sees mounted, version 1 first.
std::vector<Hierarchy> find_hierarchies();

/// One control file and what is written into it.
struct CgroupSetting {
  std::string controller = {};
  std::string file = {};
  std::string value = {};
};

/// What `resources` are in files of version 1 or 2, in the order of writing. Devices are not among
/// them.
enum class CgroupVersion { v1, v2 };
std::vector<CgroupSetting> settings_of(const Resources& resources, CgroupVersion version);

/// The controllers that `resources` ask for.
std::set<std::string> controllers_for(const Resources& resources);

/// The rules of version 1's devices.allow and devices.deny: what is asked for, then the devices
/// that every container may use. Also the order for version 2's program.
std::vector<DeviceRule> all_device_rules(const std::vector<DeviceRule>& asked);

/// A group: a directory in each of some hierarchies. A value; nothing happens on destruction.
class Cgroup {
 public:
  enum class Failure { is_error, is_told };

  Cgroup() = default;

  /// Makes it in every hierarchy, or in those alone that have one of `controllers`. `path` from the
  /// hierarchies' roots if it is absolute, else from this process's own groups.
  static Cgroup create(const std::string& path, const std::set<std::string>* controllers = nullptr);
  /// The one that was saved: directories by the name of their first controller.
  static Cgroup from_paths(const std::map<std::string, std::string>& paths);
  [[nodiscard]] std::map<std::string, std::string> paths() const;
  [[nodiscard]] bool empty() const noexcept { return groups_.empty(); }

  /// Sets limits. What cannot be set is Error{denied, unsupported, ...}, or told to `tell`.
  void apply(const Resources& resources, Failure failure,
             const std::function<void(const std::string&)>& tell = {}) const;
  void add(pid_t process) const;
  /// Open files of which each takes a process in that writes "0".
  [[nodiscard]] std::vector<UniqueFd> entrances() const;
  [[nodiscard]] std::vector<pid_t> processes() const;  ///< also of groups below
  /// Sends `signal` to every process; SIGKILL leaves none, however fast they fork.
  void signal_all(int signal) const;
  enum class State { running, frozen };
  void set_state(State state) const;
  [[nodiscard]] State state() const;
  /// Removes the directories, with groups that the container made below them; what has processes
  /// is waited for a little. Returns false if one stays.
  bool remove() const noexcept;

 private:
  struct Group {
    std::string path;
    std::vector<std::string> controllers;
    bool unified = false;
  };
  [[nodiscard]] const Group* with(std::string_view controller) const noexcept;

  std::vector<Group> groups_;
};

}  // namespace lade::sandbox
