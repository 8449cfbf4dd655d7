/// Mount points inside a root: found or made, and unmade afterwards without a trace.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include <sys/stat.h>

#include "libimage/base/unique_fd.h"
#include "libimage/sandbox/setup_channel.h"

namespace lade::sandbox {

/// Paths are resolved as if `root` were "/": links are followed inside it, magic links never.
class MountPoints {
 public:
  enum class Kind { directory, file };
  enum class Keep { until_unmade, for_good };

  /// `root` is the directory at the top; `upper` the upper directory of the overlay that it is, or
  /// -1. Both outlive the object.
  MountPoints(const DirFd& root, int upper);

  /// Opens (O_PATH) `path`, making what is missing: directories 0755, an empty file 0644, owned by
  /// root. The times of directories in which something is made stay as they were.
  UniqueFd open(std::string_view path, Kind kind, Keep keep);

  /// Takes away what open() made to be unmade, with the mounts on it, newest first: only things
  /// that are still the same and empty. Called once nothing runs in the root any more.
  void unmake() noexcept;

  [[nodiscard]] const DirFd& root() const noexcept { return root_; }

  /// Directories that making mount points copied into the upper directory, parents first.
  [[nodiscard]] const std::vector<CopiedUp>& copied_up() const noexcept { return copied_up_; }

 private:
  struct Level {
    UniqueFd dir;      // O_PATH
    std::string name;  // in the level above
  };
  struct Stub {
    UniqueFd parent;
    std::string name;
    UniqueFd self;
    bool is_directory;
  };

  UniqueFd walk(std::string_view path, Kind kind, Keep keep);
  UniqueFd make(const std::vector<Level>& levels, const std::string& name, Kind kind, Keep keep);
  void note_copied_up(const std::vector<Level>& levels);
  static void unmake_one(const Stub& stub) noexcept;

  const DirFd& root_;
  int upper_;
  dev_t root_device_ = 0;
  std::vector<Stub> stubs_;
  std::vector<CopiedUp> copied_up_;
};

}  // namespace lade::sandbox
