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
#include "libimage/transports/archive_output.h"

namespace lade {

/// A tar archive as a file that appears at finish(). Blobs of known size are given their room
/// in the file and written straight into it; others are gathered beside it first. The file appears
/// at finish(), replacing one of that name, and not at all without it.
///
/// The bytes depend on the members and the order that finish() is given only, not on the order or
/// the threads that wrote them. Thread-safe, but for finish().
class ArchiveBuilder final : public ArchiveOutput {
 public:
  /// Throws Error{unsupported} if `path` exists and is no regular file.
  ArchiveBuilder(const std::string& path, ArchiveOptions options);
  ~ArchiveBuilder() override;
  ArchiveBuilder(const ArchiveBuilder&) = delete;
  ArchiveBuilder& operator=(const ArchiveBuilder&) = delete;

  std::unique_ptr<BlobWriter> start_blob(const BlobHint& hint) override;
  [[nodiscard]] bool contains(const oci::Descriptor& blob) const override;

  void add(const std::string& name, std::string_view content) override;
  [[nodiscard]] bool has(const std::string& name) const override;
  /// Stores `size` bytes of `file` as the member `name` by a kernel-side copy. Unverified.
  void add_file(const std::string& name, int file, std::uint64_t size);
  [[nodiscard]] std::string content(const std::string& name, std::uint64_t limit) const override;
  void adopt(const ArchiveFile& from, const ArchiveMember& member,
             const std::string& name) override;

  void finish(const std::vector<std::string>& order, const std::string& last) override;

 private:
  friend class RegionWriter;
  friend class SpoolWriter;

  /// Room for a member: header, content, padding to whole blocks.
  struct Region {
    std::uint64_t offset = 0;
    std::uint64_t header = 0;
    std::uint64_t size = 0;
    bool adopted = false;  // unverified
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
