#pragma once
#include <map>
#include <mutex>
#include <string>

#include "libimage/store/store.h"

namespace lade {

/// A store in memory: for tests, and as the shortest example of both interfaces.
class MemoryStore final : public Reader, public Writer {
 public:
  std::optional<oci::Descriptor> resolve(const TagOrDigest& reference) override;
  std::optional<std::vector<std::string>> tags() override;
  std::optional<std::uint64_t> size_of(const Digest& blob) override;
  /// Found by reading every document.
  std::optional<std::vector<oci::Descriptor>> referrers(const Digest& subject) override;
  bool contains(const oci::Descriptor& blob) override;
  std::unique_ptr<BlobWriter> start_blob(const BlobHint& hint) override;
  void put_manifest(const oci::Descriptor& descriptor, std::string_view raw) override;
  void tag(const Tag& tag, const oci::Descriptor& descriptor) override;

  /// Stores `bytes` and returns their descriptor.
  oci::Descriptor put(oci::MediaType media_type, std::string bytes);
  /// Replaces stored bytes without changing their name: how tests make a lying store.
  void corrupt(const Digest& digest, std::string bytes);
  [[nodiscard]] std::size_t blob_count() const;
  [[nodiscard]] std::string bytes_of_blob(const Digest& digest) const;

 protected:
  std::unique_ptr<Source> do_open(const oci::Descriptor& blob) override;

 private:
  friend class MemoryBlobWriter;
  mutable std::mutex mutex_;
  std::map<Digest, std::string> blobs_;          // guarded by mutex_
  std::map<Digest, oci::MediaType> documents_;   // guarded by mutex_
  std::map<std::string, oci::Descriptor> tags_;  // guarded by mutex_
};

}  // namespace lade
