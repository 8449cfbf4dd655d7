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
/// in the file and written straight into it. So is one blob of unknown size at a time, at the
/// file's end; what else comes meanwhile is gathered beside it first. The file appears at finish(),
/// replacing one of that name, and not at all without it.
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
  [[nodiscard]] std::string content(const std::string& name, std::uint64_t limit) const override;
  void adopt(const ArchiveFile& from, const ArchiveMember& member,
             const std::string& name) override;

  void finish(const std::vector<std::string>& order, const std::string& last) override;

 private:
  friend class RegionWriter;
  friend class SpoolWriter;
  friend class TailWriter;

  /// Room for a member: header, content, padding to whole blocks.
  struct Region {
    std::uint64_t offset = 0;
    std::uint64_t header = 0;
    std::uint64_t size = 0;
    bool adopted = false;                    // unverified
    std::shared_ptr<PendingFile> file = {};  // beside the archive; null: in it
    [[nodiscard]] std::uint64_t length() const noexcept;
  };

  [[nodiscard]] std::string header_of(const std::string& name, std::uint64_t size) const;
  [[nodiscard]] int fd_of(const Region& region) const noexcept;
  Region reserve(const std::string& name, std::uint64_t size);
  Region reserve_beside(Region region);  // with mutex_ held
  void release(const Region& region);
  /// Stores `size` bytes of `file` as the member `name`: as they lie there where few files do, else
  /// by a kernel-side copy.
  void take_file(const std::string& name, std::unique_ptr<PendingFile> file, std::uint64_t size);
  /// Gives up the end of the file, and keeps the first `used` bytes of it.
  void end_tail(std::uint64_t used) noexcept;
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
  bool tail_taken_ = false;                // guarded by mutex_: a blob grows at the file's end
  std::shared_ptr<PendingFile> beside_;    // guarded by mutex_: what came meanwhile
  std::uint64_t beside_end_ = 0;           // guarded by mutex_
  std::size_t files_ = 0;                  // guarded by mutex_: of blobs that lie beside
};

}  // namespace lade
