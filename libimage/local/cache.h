/// What the store keeps to make builds fast, beside images: looked at, listed, removed.
#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "libimage/base/timestamp.h"
#include "libimage/local/local_store.h"

namespace lade {

/// Directories of small files, each of bounded size and number (see keep()).
inline constexpr const char* kLogsDir = "logs";        ///< what steps printed, by step key
inline constexpr const char* kRecordsDir = "records";  ///< what steps depended on

/// Writes a file whole into a directory of the store, made where missing. Where there are more than
/// a thousand files, the oldest go.
void keep(LocalStore& store, const std::string& directory, const std::string& name,
          std::string_view text);
/// Its content; nullopt if there is none, or more than `limit` bytes.
std::optional<std::string> read_kept(LocalStore& store, const std::string& directory,
                                     const std::string& name, std::uint64_t limit);

struct CacheEntry {
  enum class Type {
    step,     ///< a step's result: its layer
    layer,    ///< an unpacked layer
    mount,    ///< a directory of RUN --mount=type=cache
    context,  ///< digests of a build context's files
    log,      ///< what a step printed
    record,   ///< what a Containerfile's steps depended on
  };
  Type type = Type::step;
  std::string id = {};           ///< hex digits; unique within its type
  std::string description = {};  ///< a step's instruction, a mount's id
  std::uint64_t bytes = 0;       ///< disk space; 0 where an image has the layer too (`shared`)
  Timestamp created = {};
  Timestamp used = {};    ///< as far as the file system records it
  bool shared = false;    ///< an image has it too: removing it frees nothing
  bool in_use = false;    ///< a mount that a step has now
  std::string file = {};  ///< name in its directory
};

/// "step", "layer", "mount", "context", "log", "record".
std::string_view to_string(CacheEntry::Type type);

/// All entries, by type, the one used last first.
std::vector<CacheEntry> cache_entries(LocalStore& store);

/// The directory that holds a cache mount; Error{not_found}.
std::string cache_mount_path(LocalStore& store, const CacheEntry& mount);

}  // namespace lade
