#pragma once
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <sys/stat.h>

#include "libimage/build/source_tree.h"
#include "libimage/io/path.h"

namespace lade::build {

/// What shows whether a file is still the one that was read.
struct FileStamp {
  std::uint64_t device = 0, inode = 0, size = 0;
  std::int64_t mtime_seconds = 0, ctime_seconds = 0;
  std::uint32_t mtime_nanoseconds = 0, ctime_nanoseconds = 0;
  auto operator<=>(const FileStamp&) const = default;
};
FileStamp stamp_of(const struct stat& file) noexcept;

/// Content digests of a context's files between builds, so that a build that is all hits reads no
/// content. A file that changed within a second before it was read is not recorded: a second change
/// in the same tick of the clock could not be told from the first. Thread-safe but for save().
///
/// On disk: the line "lade content digests 1", then records of 80 bytes in the machine's byte
/// order, sorted by device and inode. A file that is not exactly that is as good as none.
class ContentDigests {
 public:
  struct Record {
    FileStamp stamp;
    Sha256 sha;
  };

  /// Reads `name` in `dir` (which outlives the object) if it is there.
  ContentDigests(const DirFd& dir, std::string name);

  [[nodiscard]] std::optional<Sha256> find(const FileStamp& file) const;
  /// True if a digest of `file`, read after `start`, may be recorded.
  static bool is_recordable(const FileStamp& file, const Timestamp& start) noexcept;
  /// Writes the file anew with `added`, if there are any. Not being able to is no error: the next
  /// build reads more.
  void save(std::vector<Record> added) noexcept;

 private:
  static_assert(sizeof(Record) == 80);
  const DirFd& dir_;
  std::string name_;
  std::vector<Record> known_;  // sorted
};

}  // namespace lade::build
