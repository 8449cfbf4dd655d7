#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <sys/stat.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/oci/image_config.h"
#include "libimage/transports/archive_builder.h"
#include "libimage/transports/docker_archive_reader.h"
#include "libimage/transports/path_name.h"
#include "libimage/transports/table.h"

namespace lade {
namespace {

constexpr unsigned kMemberMode = 0444;  // as docker and skopeo write them

std::string member_of(std::string_view media_type, const Digest& digest) {
  const std::string name = digest.algorithm() == "sha256"
                               ? std::string(digest.encoded())
                               : cat(digest.algorithm(), "-", digest.encoded());
  return cat(name, oci::is_image_config(media_type) ? ".json" : ".tar");
}

/// Writes images as docker load reads them: configs and plain layers, named by digest, and
/// manifest.json.
class DockerArchiveWriter final : public Writer {
 public:
  explicit DockerArchiveWriter(PathAndReference name)
      : name_(std::move(name)), archive_(name_.path, {.name_of = member_of, .mode = kMemberMode}) {}

  bool contains(const oci::Descriptor& blob) override {
    if (!oci::is_manifest(blob.media_type)) return archive_.contains(blob);
    const std::scoped_lock lock(mutex_);
    return images_.contains(blob.digest);
  }

  std::unique_ptr<BlobWriter> start_blob(const BlobHint& hint) override {
    return archive_.start_blob(hint);
  }

  void put_manifest(const oci::Descriptor& descriptor, std::string_view raw) override {
    check_document(descriptor, raw);
    const auto what = [&] {
      return cat("write ", descriptor.digest.str(), " to a docker archive");
    };
    with_context(what, [&] {
      const oci::Document document = oci::parse_document(descriptor, std::string(raw));
      const auto* manifest = std::get_if<oci::Manifest>(&document.parsed);
      if (manifest == nullptr || !oci::is_image_config(manifest->config.media_type)) {
        throw Error(Errc::unsupported, "it holds images only, no indexes and no artifacts");
      }
      DockerArchiveImage image = members_of(*manifest);
      const std::scoped_lock lock(mutex_);
      if (images_.emplace(descriptor.digest, std::move(image)).second) {
        order_.push_back(descriptor.digest);
      }
    });
  }

  void tag(const Tag& tag, const oci::Descriptor& descriptor) override {
    const std::string& name = tag.value.empty() ? name_.reference : tag.value;
    const std::scoped_lock lock(mutex_);
    const auto image = images_.find(descriptor.digest);
    if (image == images_.end()) {
      throw Error(Errc::not_found, cat("name ", quoted(name), " in ", quoted(name_.path), ": ",
                                       descriptor.digest.str(), " is not stored"));
    }
    if (name.empty()) return;
    Reference reference = Reference::parse(name);
    if (reference.digest) {
      throw Error(Errc::invalid_argument,
                  cat("name ", quoted(name), ": a docker archive takes a tag, no digest"));
    }
    if (!reference.tag) reference.tag = Tag{"latest"};
    const std::string full = reference.str();
    for (auto& [digest, other] : images_) std::erase(other.tags, full);
    image->second.tags.push_back(full);
  }

  void finish() override {
    std::vector<DockerArchiveImage> images;
    std::vector<std::string> order;
    for (const Digest& digest : order_) {
      const DockerArchiveImage& image = images_.at(digest);
      order.push_back(image.config);
      order.insert(order.end(), image.layers.begin(), image.layers.end());
      images.push_back(image);
    }
    const std::string manifest = "manifest.json";
    archive_.add(manifest, serialise(images));
    archive_.finish(order, manifest);
  }

  Accepts accepts() const override {
    return {.oci = false,
            .indexes = false,
            .compressed_layers = false,
            .keeps_digests = false,
            .referrers = false};
  }

 private:
  /// The members that make the image; they must be here, and plain as the config says.
  DockerArchiveImage members_of(const oci::Manifest& manifest) const {
    DockerArchiveImage image{
        .config = member_of(manifest.config.media_type, manifest.config.digest), .layers = {}};
    const oci::ImageConfig config =
        oci::parse_image_config(archive_.content(image.config, oci::kMaxConfigBytes));
    if (config.diff_ids.size() != manifest.layers.size()) {
      throw Error(Errc::invalid_content, cat(manifest.layers.size(), " layers, but the config has ",
                                             config.diff_ids.size(), " diff IDs"));
    }
    for (std::size_t i = 0; i < manifest.layers.size(); ++i) {
      const oci::Descriptor& layer = manifest.layers[i];
      if (layer.digest != config.diff_ids[i].value) {
        throw Error(Errc::unsupported,
                    cat("layers[", i, "] ", layer.digest.str(), " is not the plain tar of diff ID ",
                        config.diff_ids[i].value.str()));
      }
      image.layers.push_back(member_of(layer.media_type, layer.digest));
      if (!archive_.has(image.layers.back())) {
        throw Error(Errc::not_found, cat("layers[", i, "] ", layer.digest.str(), " is not stored"));
      }
    }
    return image;
  }

  PathAndReference name_;
  ArchiveBuilder archive_;
  std::mutex mutex_;
  std::map<Digest, DockerArchiveImage> images_;  // guarded by mutex_: by manifest
  std::vector<Digest> order_;                    // guarded by mutex_
};

std::unique_ptr<Reader> read_archive(const ImageName& name, Session& session) {
  PathAndReference parts = parse_path_name(name);
  refuse_standard_streams(name, parts);
  return std::make_unique<DockerArchiveReader>(std::move(parts), session.options());
}

std::unique_ptr<Writer> write_archive(const ImageName& name, Session& /*session*/) {
  PathAndReference parts = parse_path_name_to_write(name);
  refuse_standard_streams(name, parts);
  struct stat st {};
  if (::stat(parts.path.c_str(), &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0) {
    throw Error(Errc::already_exists,
                cat("write ", quoted(name.str()),
                    ": docker-archive doesn't support modifying existing images"));
  }
  if (!parts.reference.empty()) (void)Reference::parse(parts.reference);
  return std::make_unique<DockerArchiveWriter>(std::move(parts));
}

}  // namespace

Transport docker_archive_transport() {
  return {.name = "docker-archive",
          .syntax = "docker-archive:FILE[:NAME:TAG|:@N]",
          .reader = read_archive,
          .writer = write_archive,
          .reference = path_name_reference};
}

}  // namespace lade
