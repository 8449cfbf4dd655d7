#pragma once
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "libimage/base/error.h"
#include "libimage/store/store.h"
#include "libimage/transports/archive_file.h"
#include "libimage/transports/docker_archive_manifest.h"

namespace lade {

/// The images of a docker-archive as Docker schema 2 manifests, made up from manifest.json and the
/// configs, always the same for the same archive.
///
/// Layers are the members as they are. That of a plain tar is named by the config's diff ID,
/// unread; a gzip member is hashed once. Codecs that Docker's media types cannot name (zstd, xz,
/// bzip2) are decompressed on their way out. Of an archive older than manifest.json the layers are
/// hashed once, and the configs made up from theirs.
class DockerArchiveReader final : public Reader {
 public:
  /// `name.path` is for messages.
  DockerArchiveReader(std::unique_ptr<ArchiveFile> archive, PathAndReference name,
                      const SessionOptions& options);

  std::optional<oci::Descriptor> resolve(const TagOrDigest& reference) override;
  /// Names as full references; an image without any is "@N".
  std::optional<std::vector<std::string>> tags() override;

 protected:
  std::unique_ptr<Source> do_open(const oci::Descriptor& blob) override;

 private:
  /// Where the bytes of a blob are.
  struct Place {
    const ArchiveMember* member = nullptr;  // null: `text`
    bool decompress = false;
    std::uint64_t size = 0;
    std::string text = {};
  };

  [[nodiscard]] std::optional<std::size_t> position_of(const Tag& tag) const;
  [[nodiscard]] Error choose_one() const;
  oci::Descriptor image(std::size_t position);
  [[nodiscard]] std::string config_of_legacy(const DockerArchiveImage& parts);
  oci::Descriptor layer(const std::string& member_name, const DiffId& diff_id);
  oci::Descriptor compressed_layer(const ArchiveMember& member, bool decompress);
  void remember(const oci::Descriptor& blob, Place place);
  std::optional<Place> place_of(const Digest& digest);

  PathAndReference name_;
  std::stop_token stop_;
  std::unique_ptr<ArchiveFile> archive_;
  std::vector<DockerArchiveImage> images_;
  std::mutex mutex_;
  std::map<std::size_t, oci::Descriptor> made_;  // guarded by mutex_: manifests by image
  std::map<const ArchiveMember*, oci::Descriptor> measured_;  // guarded by mutex_: compressed ones
  std::map<Digest, Place> places_;                            // guarded by mutex_
};

}  // namespace lade
