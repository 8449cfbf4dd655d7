#include "libimage/transports/docker_archive_writer.h"

#include <optional>
#include <utility>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/oci/image_config.h"
#include "libimage/store/blob_check.h"
#include "libimage/transports/archive_file.h"

namespace lade {
namespace {

constexpr unsigned kMemberMode = 0444;  // as docker and skopeo write them
constexpr const char* kManifestMember = "manifest.json";

std::string member_of(std::string_view media_type, const Digest& digest) {
  const std::string name = digest.algorithm() == "sha256"
                               ? std::string(digest.encoded())
                               : cat(digest.algorithm(), "-", digest.encoded());
  return cat(name, oci::is_image_config(media_type) ? ".json" : ".tar");
}

}  // namespace

ArchiveOptions docker_archive_options() {
  return {.name_of = member_of,
          .mode = kMemberMode,
          .is_read_back = [](std::string_view name) { return name.ends_with(".json"); },
          .small_members_last = true};
}

DockerArchiveWriter::DockerArchiveWriter(std::unique_ptr<ArchiveOutput> archive, std::string where,
                                         std::string name)
    : archive_(std::move(archive)), where_(std::move(where)), name_(std::move(name)) {}

void DockerArchiveWriter::keep_images_of(const std::string& path, const SessionOptions& options) {
  const ArchiveFile old(path, options);
  with_context([&] { return cat("add to archive ", quoted(path)); },
               [&] {
                 kept_ = parse_docker_archive_manifest(
                     old.text(kManifestMember, kMaxDockerArchiveManifestBytes));
                 for (const DockerArchiveImage& image : kept_) {
                   archive_->adopt(old, old.member(image.config), image.config);
                   for (const std::string& layer : image.layers) {
                     archive_->adopt(old, old.member(layer), layer);
                   }
                 }
               });
}

bool DockerArchiveWriter::contains(const oci::Descriptor& blob) {
  if (!oci::is_manifest(blob.media_type)) return archive_->contains(blob);
  const std::scoped_lock lock(mutex_);
  return images_.contains(blob.digest);
}

std::unique_ptr<BlobWriter> DockerArchiveWriter::start_blob(const BlobHint& hint) {
  return archive_->start_blob(hint);
}

void DockerArchiveWriter::put_manifest(const oci::Descriptor& descriptor, std::string_view raw) {
  check_document(descriptor, raw);
  const auto what = [&] { return cat("write ", descriptor.digest.str(), " to a docker archive"); };
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

void DockerArchiveWriter::tag(const Tag& tag, const oci::Descriptor& descriptor) {
  const std::string& name = tag.value.empty() ? name_ : tag.value;
  const std::scoped_lock lock(mutex_);
  const auto image = images_.find(descriptor.digest);
  if (image == images_.end()) {
    throw Error(Errc::not_found, cat("name ", quoted(name), " in ", quoted(where_), ": ",
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
  for (DockerArchiveImage& other : kept_) std::erase(other.tags, full);
  for (auto& [digest, other] : images_) std::erase(other.tags, full);
  image->second.tags.push_back(full);
}

void DockerArchiveWriter::finish() {
  const std::scoped_lock lock(mutex_);
  std::vector<DockerArchiveImage> images = kept_;
  for (const Digest& digest : order_) images.push_back(images_.at(digest));
  std::vector<std::string> order;
  // The layers first: what they are is known while they are written, the rest only afterwards.
  for (const DockerArchiveImage& image : images) {
    order.insert(order.end(), image.layers.begin(), image.layers.end());
  }
  for (const DockerArchiveImage& image : images) order.push_back(image.config);
  archive_->add(kManifestMember, serialise(images));
  archive_->finish(order, kManifestMember);
}

Writer::Accepts DockerArchiveWriter::accepts() const {
  return {.oci = false,
          .indexes = false,
          .compressed_layers = false,
          .keeps_digests = false,
          .referrers = false};
}

/// The members that make the image; they must be here, and plain as the config says.
DockerArchiveImage DockerArchiveWriter::members_of(const oci::Manifest& manifest) const {
  DockerArchiveImage image{.config = member_of(manifest.config.media_type, manifest.config.digest),
                           .layers = {}};
  const oci::ImageConfig config =
      oci::parse_image_config(archive_->content(image.config, oci::kMaxConfigBytes));
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
    if (!archive_->contains(layer)) {
      throw Error(Errc::not_found, cat("layers[", i, "] ", layer.digest.str(), " is not stored"));
    }
  }
  return image;
}

}  // namespace lade
