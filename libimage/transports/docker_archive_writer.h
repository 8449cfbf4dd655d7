#pragma once
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "libimage/store/store.h"
#include "libimage/transports/archive_output.h"
#include "libimage/transports/docker_archive_manifest.h"

namespace lade {

/// How the members of a docker-archive are called: HEX.tar and HEX.json.
ArchiveOptions docker_archive_options();

/// Writes images as docker load reads them: configs and plain layers, named by digest, and
/// manifest.json, which comes last.
class DockerArchiveWriter : public Writer {
 public:
  /// `where` is for messages; `name` is what an empty Tag stands for, "" for none.
  DockerArchiveWriter(std::unique_ptr<ArchiveOutput> archive, std::string where, std::string name);

  /// Keeps the images of `archive`, with the members that they need, beside those that come.
  void keep_images_of(const std::string& path, const SessionOptions& options);

  bool contains(const oci::Descriptor& blob) override;
  std::unique_ptr<BlobWriter> start_blob(const BlobHint& hint) override;
  void put_manifest(const oci::Descriptor& descriptor, std::string_view raw) override;
  void tag(const Tag& tag, const oci::Descriptor& descriptor) override;
  void finish() override;
  Accepts accepts() const override;

 private:
  [[nodiscard]] DockerArchiveImage members_of(const oci::Manifest& manifest) const;

  std::unique_ptr<ArchiveOutput> archive_;
  std::string where_;
  std::string name_;
  std::mutex mutex_;
  std::vector<DockerArchiveImage> kept_;         // guarded by mutex_: of the archive before
  std::map<Digest, DockerArchiveImage> images_;  // guarded by mutex_: by manifest
  std::vector<Digest> order_;                    // guarded by mutex_
};

}  // namespace lade
