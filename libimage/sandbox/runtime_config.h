/// The runtime specification's config.json as values: what a step is. One model, executed by the
/// built-in runner and (in time) written for any OCI runtime. Names are the specification's
/// (runtime-spec v1.0.2, config.md, config-linux.md).
#pragma once
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace lade::sandbox {

struct User {
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::vector<std::uint32_t> additional_gids = {};
  std::uint32_t umask = 022;
};

struct Rlimit {
  std::string type;  ///< "RLIMIT_NOFILE"
  std::uint64_t soft = 0;
  std::uint64_t hard = 0;
};

struct Process {
  std::vector<std::string> args = {};  ///< args[0] is looked up in env's PATH inside the root
  std::vector<std::string> env = {};   ///< exactly these; nothing of the caller's environment leaks
  std::string cwd = "/";
  User user = {};
  std::set<std::string> capabilities = {};  ///< "CAP_CHOWN": bounding set; effective and permitted
                                            ///< too for uid 0; inheritable and ambient stay empty
  bool no_new_privileges = false;
  std::vector<Rlimit> rlimits = {};
};

/// An overlay that the runner mounts as the root, or below it: the directories exist already. One
/// step at a time has an upper and a work directory; afterwards the upper holds what the step
/// changed (whiteouts and opaque directories as overlayfs writes them, every file with its
/// content), the work directory nothing. Neither is synced to disk.
struct OverlayRoot {
  std::vector<std::string> lower;  ///< topmost first, at most 500
  std::string upper;
  std::string work;
};

struct Mount {
  std::string destination;  ///< absolute, resolved inside the root
  std::string type;  ///< "bind", "tmpfs", "proc", "sysfs", "devpts", "mqueue", "overlay", "content"
  std::string
      source;  ///< bind: a path of the host, resolved by the caller's rights; or "fd:N", an
               ///< open descriptor. overlay: what to show of it, resolved inside it; "": all
  std::vector<std::string> options =
      {};  ///< "ro", "nosuid", "nodev", "noexec", "mode=755", ...; an unknown one is refused.
           ///< A bind is "nodev" unless "dev" is said; "rbind" takes the mounts below along
  std::optional<OverlayRoot> overlay = {};  ///< of an overlay; device nodes on it have no effect
  std::string content = {};  ///< of a "content": a file in memory (mode=, uid=, gid=) that is gone
                             ///< with the step
};

/// Device nodes in a root have no effect: a step's devices are those of its /dev.
struct Root {
  std::string path = {};  ///< a directory used as it is, by one step at a time, or
  std::optional<OverlayRoot> overlay =
      {};  ///< these, mounted inside the step's own mount namespace
  bool readonly = false;
};

enum class Namespace { pid, mount, ipc, uts, network, cgroup, user };

struct SeccompProfile {
  bool enabled = true;         ///< false: unconfined
  std::string json_file = {};  ///< a profile in the containers' format; "": the built-in default
};

struct RuntimeConfig {
  Process process = {};
  Root root = {};
  std::string hostname = "lade";
  std::vector<Mount> mounts = {};
  std::set<Namespace> namespaces = {
      Namespace::pid, Namespace::mount,  Namespace::ipc,
      Namespace::uts, Namespace::cgroup, Namespace::network};  ///< without `network`: the host's
  std::vector<std::string> masked_paths = {};
  std::vector<std::string> readonly_paths = {};
  SeccompProfile seccomp = {};
};

/// The defaults that containers expect: the mounts of the specification's "Default Filesystems",
/// masked and read-only paths, the field's 11 capabilities.
RuntimeConfig default_config();

}  // namespace lade::sandbox
