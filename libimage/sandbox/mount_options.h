/// The words of a mount's options (runtime-spec config.md, "Linux mount options") as what the mount
/// system calls take.
#pragma once
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "libimage/sandbox/runtime_config.h"

namespace lade::sandbox {

struct MountOptions {
  std::uint64_t set = 0;    ///< MOUNT_ATTR_* bits to turn on
  std::uint64_t clear = 0;  ///< MOUNT_ATTR_* bits to turn off
  bool recursive = false;   ///< rbind
  std::vector<std::pair<std::string, std::string>> data =
      {};  ///< the file system's own: size, mode
};

/// Error{invalid_argument} for an option that the mount's type does not take.
MountOptions parse_mount_options(const Mount& mount);

}  // namespace lade::sandbox
