#pragma once
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include <sys/stat.h>

#include "libimage/build/source_tree.h"
#include "libimage/io/path.h"

namespace lade::build {

/// Content digests of a context's files between builds, so that a build that is all hits reads no
/// content: (device, inode, size, mtime, ctime) to sha256.
///
/// A file that changed within a second before it was read is not recorded: a second change in the
/// same tick of the clock could not be told from the first. Thread-safe.
///
/// On disk: the line "lade content digests 1", then records of 80 bytes in the machine's byte
/// order, sorted by device and inode. A file that is not exactly that is as good as none.
class ContentDigests {
 public:
  /// Reads `name` in `dir` (which outlives the object) if it is there.
  ContentDigests(const DirFd& dir, std::string name);

  std::optional<Sha256> find(const struct stat& file);
  /// `now` is the time before the content was read.
  void put(const struct stat& file, const Sha256& sha, const Timestamp& now);
  /// Writes the file if something was put. Not being able to is no error: the next build reads
  /// more.
  void save() noexcept;

 private:
  struct Record {
    std::uint64_t device, inode, size;
    std::int64_t mtime_seconds, ctime_seconds;
    std::uint32_t mtime_nanoseconds, ctime_nanoseconds;
    Sha256 sha;
  };
  static_assert(sizeof(Record) == 80);
  static Record record_of(const struct stat& file, const Sha256& sha);
  static bool before(const Record& a, const Record& b) noexcept;

  const DirFd& dir_;
  std::string name_;
  std::mutex mutex_;
  std::vector<Record> known_;  // sorted; changed only by save()
  std::vector<Record> added_;  // guarded by mutex_
};

}  // namespace lade::build
