#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "libimage/store/blob_check.h"
#include "libimage/store/pending_file.h"
#include "libimage/store/store.h"

namespace lade {

struct ArchiveOptions {
  /// The member name of a blob; its length must not depend on the media type.
  std::string (*name_of)(std::string_view media_type, const Digest& digest) = nullptr;
  unsigned mode = 0644;  ///< of every file
};

/// A tar archive in the making, several members at once. Blobs of known size are given their room
/// in the file and written straight into it; others are gathered beside it first. The file appears
/// at finish(), replacing one of that name, and not at all without it.
///
/// The bytes depend on the members and the order that finish() is given only, not on the order or
/// the threads that wrote them. Thread-safe, but for finish().
class ArchiveBuilder {
 public:
  /// Throws Error{unsupported} if `path` exists and is no regular file.
  ArchiveBuilder(const std::string& path, ArchiveOptions options);
  ~ArchiveBuilder();
  ArchiveBuilder(const ArchiveBuilder&) = delete;
  ArchiveBuilder& operator=(const ArchiveBuilder&) = delete;

  std::unique_ptr<BlobWriter> start_blob(const BlobHint& hint);
  [[nodiscard]] bool contains(const oci::Descriptor& blob) const;

  /// Adds a member, in place of one of that name. A name that ends in '/' is a directory's.
  void add(const std::string& name, std::string_view content);
  [[nodiscard]] bool has(const std::string& name) const;
  /// Stores `size` bytes of `file` as the member `name` by a kernel-side copy. Unverified.
  void add_file(const std::string& name, int file, std::uint64_t size);
  /// The content of a member; Error{not_found}, Error{limit_exceeded}.
  [[nodiscard]] std::string content(const std::string& name, std::uint64_t limit) const;

  /// Publishes the archive: the members of `order` that there are, all others by name, `last`.
  void finish(const std::vector<std::string>& order, const std::string& last);

 private:
  friend class RegionWriter;
  friend class SpoolWriter;

  /// Room for a member: header, content, padding to whole blocks.
  struct Region {
    std::uint64_t offset = 0;
    std::uint64_t header = 0;
    std::uint64_t size = 0;
    [[nodiscard]] std::uint64_t length() const noexcept;
  };

  [[nodiscard]] std::string header_of(const std::string& name, std::uint64_t size) const;
  Region reserve(const std::string& name, std::uint64_t size);
  void release(const Region& region);
  /// Writes the header and makes the region the member `name`, unless there is one already.
  void publish(const Region& region, const std::string& name);
  void arrange(const std::vector<std::string>& order);

  ArchiveOptions options_;
  std::string name_;
  std::unique_ptr<PendingFile> file_;
  mutable std::mutex mutex_;
  std::map<std::string, Region> members_;  // guarded by mutex_
  std::vector<Region> free_;               // guarded by mutex_: room of blobs that were dropped
  std::uint64_t end_ = 0;                  // guarded by mutex_
};

}  // namespace lade
