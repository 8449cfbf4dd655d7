#pragma once
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "libimage/store/store.h"

namespace lade {

struct LayoutOptions {
  bool create = false;  ///< make the directory, oci-layout, index.json and blobs/ where missing
  std::string codec_default = "gzip";
  std::string shared_blob_dir = {};  ///< replaces DIR/blobs
};

/// An OCI image layout in a directory (image-spec v1.1.1, image-layout.md): what the oci: transport
/// and the local store are made of. A blob appears whole, by rename, or not at all; index.json is
/// replaced under a lock (flock on
/// ".lade.lock" in the directory) held for that moment, so that many processes may write at once.
/// Blobs that are links or no regular files are refused (a layout from outside is untrusted).
class LayoutStore : public Reader, public Writer {
 public:
  LayoutStore(const std::string& directory, LayoutOptions options);
  ~LayoutStore() override;

  // Reader
  std::optional<oci::Descriptor> resolve(const TagOrDigest& reference) override;
  std::optional<std::vector<std::string>> tags() override;
  std::optional<std::vector<oci::Descriptor>> referrers(const Digest& subject) override;
  std::shared_ptr<const UniqueFd> file_of(const oci::Descriptor& blob) override;
  // Writer
  bool contains(const oci::Descriptor& blob) override;
  std::unique_ptr<BlobWriter> start_blob(const BlobHint& hint) override;
  void put_manifest(const oci::Descriptor& descriptor, std::string_view raw) override;
  void tag(const Tag& tag, const oci::Descriptor& descriptor) override;
  bool try_copy_file(const oci::Descriptor& blob, const UniqueFd& file) override;
  Accepts accepts() const override;

  /// The entries of index.json, in its order.
  std::vector<oci::Descriptor> entries();
  /// The entry at `position`; for "@N".
  std::optional<oci::Descriptor> entry(std::size_t position);
  /// Replaces index.json by what `edit` makes of it, under the lock.
  void edit_index(const std::function<void(oci::Index&)>& edit);
  /// Removes the blob; absent is no error.
  void remove_blob(const Digest& digest);
  /// Digests of all blobs present.
  std::vector<Digest> blobs();
  [[nodiscard]] const DirFd& dir() const noexcept;
  [[nodiscard]] const std::string& path() const noexcept;

 protected:
  std::unique_ptr<Source> do_open(const oci::Descriptor& blob) override;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace lade
