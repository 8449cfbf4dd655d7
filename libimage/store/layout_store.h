#pragma once
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libimage/oci/document.h"
#include "libimage/store/store.h"

namespace lade {

/// A file that marks a layout as a local store (libimage/local): more than index.json says needs
/// its blobs there.
inline constexpr const char* kLocalStoreMark = ".in-use.lade";

struct LayoutOptions {
  bool create = false;  ///< make the directory, oci-layout, index.json and blobs/ where missing
  std::string codec_default = "gzip";
  std::string shared_blob_dir = {};  ///< replaces DIR/blobs
  bool accepts_docker = true;        ///< what accepts() says; any document can be stored
  /// With `create`: a layout that was made for this store, in which nothing was stored when it is
  /// closed, is removed again, with the directories that were made for it.
  bool remove_if_unused = false;
  /// Files in the making get a name in blobs/<alg>/.lade-tmp, as they do by themselves on file
  /// systems that have no unnamed files; for tests.
  bool named_temporaries = false;
};

/// An OCI image layout in a directory (image-spec v1.1.1, image-layout.md): what the oci: transport
/// and the local store are made of. A blob appears whole, by link or rename, or not at all;
/// index.json is replaced under a lock (flock on the directory; on a file ".lade.lock" where
/// directories cannot be locked) held for that moment, so that many processes may write at once.
/// Blobs that are links or no regular files are refused (a layout from outside is untrusted), and
/// so are `blobs` and its subdirectories if they are links.
///
/// Thread-safe. index.json is read anew by each call, so that other processes' changes are seen.
class LayoutStore : public Reader, public Writer {
 public:
  /// Throws Error{not_found} if there is no such directory (and `create` is not set),
  /// Error{invalid_content} if it is no layout; with `create`, Error{already_exists} if it is a
  /// directory with other content.
  LayoutStore(const std::string& directory, LayoutOptions options);
  ~LayoutStore() override;

  /// For an empty Tag the only image; several are Error{invalid_argument} with their names. For a
  /// digest also manifests and indexes that index.json does not list.
  std::optional<oci::Descriptor> resolve(const TagOrDigest& reference) override;
  std::optional<std::vector<std::string>> tags() override;
  /// Found by reading every document that index.json reaches.
  std::optional<std::vector<oci::Descriptor>> referrers(const Digest& subject) override;
  std::optional<std::uint64_t> size_of(const Digest& digest) override;
  std::shared_ptr<const UniqueFd> file_of(const oci::Descriptor& blob) override;
  bool contains(const oci::Descriptor& blob) override;
  std::unique_ptr<BlobWriter> start_blob(const BlobHint& hint) override;
  void put_manifest(const oci::Descriptor& descriptor, std::string_view raw) override;
  /// A name in use moves to `descriptor`; its old entry stays, unnamed. An empty Tag makes an
  /// unnamed entry, unless there is an entry of that digest.
  void tag(const Tag& tag, const oci::Descriptor& descriptor) override;
  void list_referrer(const oci::Descriptor& referrer) override;
  bool try_copy_file(const oci::Descriptor& blob, const UniqueFd& file) override;
  /// Takes a name, or a digest with all its names, out of index.json, then removes the blobs that
  /// only it reached (none from a shared blob directory). Error{unavailable} while somebody else
  /// writes to the layout, as his new image may count on them; Error{unsupported} for a local
  /// store.
  void remove(const TagOrDigest& reference) override;
  Accepts accepts() const override;

  /// The entries of index.json, in its order.
  std::vector<oci::Descriptor> entries();
  /// The entry at `position`; for "@N".
  std::optional<oci::Descriptor> entry(std::size_t position);
  /// Replaces index.json by what `edit` makes of it, under the lock.
  void edit_index(const std::function<void(oci::Index&)>& edit);
  /// Removes the blob; absent is no error.
  void remove_blob(const Digest& digest);
  /// Removes what broken attempts at large blobs left to be continued, however recent.
  void forget_partial_blobs();
  /// Digests of all blobs present.
  std::vector<Digest> blobs();
  [[nodiscard]] const DirFd& dir() const noexcept;
  [[nodiscard]] const std::string& path() const noexcept;

 protected:
  std::unique_ptr<Source> do_open(const oci::Descriptor& blob) override;
  std::unique_ptr<Source> do_open_at(const oci::Descriptor& blob, std::uint64_t offset) override;

 private:
  struct State;
  std::optional<oci::Descriptor> unlisted_document(const Digest& digest);
  std::unique_ptr<State> state_;
};

}  // namespace lade
