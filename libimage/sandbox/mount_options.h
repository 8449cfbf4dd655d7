/// The words of a mount's options (runtime-spec config.md, "Linux mount options") as what the mount
/// system calls take.
#pragma once
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "libimage/sandbox/runtime_config.h"

namespace lade::sandbox {

/// MOUNT_ATTR_* bits to turn on and off.
struct Attributes {
  std::uint64_t set = 0;
  std::uint64_t clear = 0;
};

struct MountOptions {
  std::uint64_t set = 0;          ///< MOUNT_ATTR_* bits to turn on
  std::uint64_t clear = 0;        ///< MOUNT_ATTR_* bits to turn off
  Attributes below = {};          ///< the same for it and every mount below it: "rro"
  bool recursive = false;         ///< rbind
  unsigned propagation = 0;       ///< MS_SHARED, MS_SLAVE, MS_PRIVATE, MS_UNBINDABLE; 0: not said
  bool propagates_below = false;  ///< "rslave"
  bool id_mapped = false;         ///< "idmap" or "ridmap"
  bool id_mapped_below = false;   ///< "ridmap"
  bool copies_up = false;         ///< "tmpcopyup": a tmpfs begins with what it covers
  std::vector<std::pair<std::string, std::string>> data =
      {};  ///< the file system's own: size, mode; a second that is "\0" is a word without a value
};

/// What stands for the value of a word of the file system's that has none.
inline constexpr char kNoValue = '\0';

/// Error{invalid_argument} for an option that a bind does not take; those that only a file system
/// can judge are its to refuse.
MountOptions parse_mount_options(const Mount& mount);

/// Every word that parse_mount_options() knows for any mount, sorted.
std::vector<std::string> mount_option_words();

/// The MS_* bit of "shared", "rslave", ...; 0 for another word.
unsigned propagation_of(std::string_view word) noexcept;

}  // namespace lade::sandbox
