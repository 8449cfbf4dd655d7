#include "libimage/transports/docker_archive_reader.h"

#include <algorithm>
#include <utility>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/compress/codec.h"
#include "libimage/digest/hasher.h"
#include "libimage/oci/image_config.h"
#include "libimage/store/text_source.h"
#include "libimage/transports/docker_archive_legacy.h"

namespace lade {
namespace {

constexpr std::string_view kManifestMember = "manifest.json";
constexpr std::size_t kMagicBytes = 6;

/// "name:tag" in full, so that short and long spellings of a name are the same.
std::string full_name(const std::string& name) {
  const std::optional<Reference> reference = Reference::try_parse(name);
  if (!reference) return name;
  Reference with_tag = *reference;
  if (!with_tag.tag && !with_tag.digest) with_tag.tag = Tag{"latest"};
  return with_tag.str();
}

/// A source and what it decompresses, as one.
class OwningDecoder final : public Source {
 public:
  OwningDecoder(std::unique_ptr<Source> in, const Codec& codec)
      : in_(std::move(in)), out_(codec.decompress_from(*in_, {})) {}
  std::size_t read(std::span<std::byte> out) override { return out_->read(out); }

 private:
  std::unique_ptr<Source> in_;
  std::unique_ptr<Source> out_;
};

const Codec& codec_of_member(const ArchiveFile& archive, const ArchiveMember& member) {
  std::vector<std::byte> head(kMagicBytes);
  const std::unique_ptr<Source> source = archive.open(member);
  head.resize(read_full(*source, head));
  return codec_of(head);
}

std::unique_ptr<Source> open_member(const ArchiveFile& archive, const ArchiveMember& member,
                                    bool decompress) {
  std::unique_ptr<Source> source = archive.open(member);
  if (!decompress) return source;
  return std::make_unique<OwningDecoder>(std::move(source), codec_of_member(archive, member));
}

/// Reads `source` to its end; digest and size of what it had.
oci::Descriptor measured(Source& source, std::string_view media_type, const std::stop_token& stop) {
  HashingSource hashing(source);
  std::vector<std::byte> buffer(kChunkBytes);
  while (hashing.read(buffer) != 0) {
    if (stop.stop_requested()) throw Cancelled();
  }
  return {
      .media_type = std::string(media_type), .digest = hashing.digest(), .size = hashing.bytes()};
}

}  // namespace

DockerArchiveReader::DockerArchiveReader(std::unique_ptr<ArchiveFile> archive,
                                         PathAndReference name, const SessionOptions& options)
    : name_(std::move(name)), stop_(options.stop), archive_(std::move(archive)) {
  with_context([&] { return cat("archive ", quoted(name_.path)); },
               [&] {
                 if (archive_->find(kManifestMember) == nullptr) {
                   if (archive_->find(kRepositoriesMember) == nullptr) {
                     throw Error(Errc::invalid_content,
                                 "there is no manifest.json member, so this is no docker archive");
                   }
                   images_ = legacy_images(*archive_);
                   return;
                 }
                 images_ = parse_docker_archive_manifest(
                     archive_->text(kManifestMember, kMaxDockerArchiveManifestBytes));
               });
}

Error DockerArchiveReader::choose_one() const {
  constexpr std::size_t kShown = 10;
  std::string names;
  for (std::size_t i = 0; i < std::min(images_.size(), kShown); ++i) {
    const auto& tags = images_[i].tags;
    names += cat(i == 0 ? "" : ", ", tags.empty() ? cat("@", i) : printable(tags.front()));
  }
  if (images_.size() > kShown) names += cat(" and ", images_.size() - kShown, " more");
  return Error(Errc::invalid_argument,
               cat("more than one image in ", quoted(name_.path), ", choose one: ", names));
}

std::optional<std::size_t> DockerArchiveReader::position_of(const Tag& tag) const {
  if (tag.value.empty()) {
    if (name_.at) return *name_.at < images_.size() ? name_.at : std::nullopt;
    if (!name_.reference.empty()) return position_of(Tag{name_.reference});
    if (images_.size() > 1) throw choose_one();
    return images_.empty() ? std::nullopt : std::optional<std::size_t>(0);
  }
  const std::string wanted = full_name(tag.value);
  for (std::size_t i = 0; i < images_.size(); ++i) {
    for (const std::string& name : images_[i].tags) {
      if (full_name(name) == wanted) return i;
    }
  }
  return std::nullopt;
}

std::optional<oci::Descriptor> DockerArchiveReader::resolve(const TagOrDigest& reference) {
  if (const auto* tag = std::get_if<Tag>(&reference)) {
    const std::optional<std::size_t> position = position_of(*tag);
    if (!position) return std::nullopt;
    return image(*position);
  }
  for (std::size_t i = 0; i < images_.size(); ++i) {
    const oci::Descriptor manifest = image(i);
    if (manifest.digest == std::get<Digest>(reference)) return manifest;
  }
  return std::nullopt;
}

std::optional<std::vector<std::string>> DockerArchiveReader::tags() {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < images_.size(); ++i) {
    if (images_[i].tags.empty()) names.push_back(cat("@", i));
    for (const std::string& name : images_[i].tags) names.push_back(full_name(name));
  }
  return names;
}

void DockerArchiveReader::remember(const oci::Descriptor& blob, Place place) {
  place.size = blob.size;
  const std::scoped_lock lock(mutex_);
  places_.insert_or_assign(blob.digest, std::move(place));
}

oci::Descriptor DockerArchiveReader::compressed_layer(const ArchiveMember& member,
                                                      bool decompress) {
  {
    const std::scoped_lock lock(mutex_);
    if (const auto known = measured_.find(&member); known != measured_.end()) return known->second;
  }
  const std::unique_ptr<Source> source = open_member(*archive_, member, decompress);
  oci::Descriptor blob =
      measured(*source, decompress ? oci::kDockerLayer : oci::kDockerLayerGzip, stop_);
  const std::scoped_lock lock(mutex_);
  measured_.emplace(&member, blob);
  return blob;
}

oci::Descriptor DockerArchiveReader::layer(const std::string& member_name, const DiffId& diff_id) {
  const ArchiveMember& member = archive_->member(member_name);
  const Codec& codec = codec_of_member(*archive_, member);
  const bool plain = codec.name == "identity";
  const bool decompress = !plain && codec.name != "gzip";
  oci::Descriptor blob = plain ? oci::Descriptor{.media_type = std::string(oci::kDockerLayer),
                                                 .digest = diff_id.value,
                                                 .size = member.size}
                               : compressed_layer(member, decompress);
  remember(blob, {.member = &member, .decompress = decompress});
  return blob;
}

std::string DockerArchiveReader::config_of_legacy(const DockerArchiveImage& parts) {
  std::vector<std::string> layers;
  std::vector<DiffId> diff_ids;
  for (const std::string& name : parts.layers) {
    layers.push_back(
        archive_->text(cat(name.substr(0, name.rfind('/')), "/json"), oci::kMaxConfigBytes));
    const std::unique_ptr<Source> content = open_member(*archive_, archive_->member(name), true);
    diff_ids.push_back(DiffId{measured(*content, oci::kDockerLayer, stop_).digest});
  }
  return legacy_config(layers, diff_ids);
}

oci::Descriptor DockerArchiveReader::image(std::size_t position) {
  const auto where = [&] { return cat("archive ", quoted(name_.path), ": image @", position); };
  return with_context(where, [&] {
    {
      const std::scoped_lock lock(mutex_);
      if (const auto known = made_.find(position); known != made_.end()) return known->second;
    }
    const DockerArchiveImage& parts = images_[position];
    std::string config = parts.config.empty() ? config_of_legacy(parts)
                                              : archive_->text(parts.config, oci::kMaxConfigBytes);
    const oci::ImageConfig parsed = oci::parse_image_config(config);
    if (parsed.diff_ids.size() != parts.layers.size()) {
      throw Error(Errc::invalid_content, cat(parts.layers.size(), " layers, but the config has ",
                                             parsed.diff_ids.size(), " diff IDs"));
    }
    oci::Manifest manifest{.media_type = std::string(oci::kDockerManifest),
                           .config = oci::describe(std::string(oci::kDockerConfig), config)};
    for (std::size_t i = 0; i < parts.layers.size(); ++i) {
      manifest.layers.push_back(layer(parts.layers[i], parsed.diff_ids[i]));
    }
    std::string raw = oci::serialise(manifest);
    const oci::Descriptor descriptor = oci::describe(manifest.media_type, raw);
    remember(manifest.config, {.text = std::move(config)});
    remember(descriptor, {.text = std::move(raw)});
    const std::scoped_lock lock(mutex_);
    made_.emplace(position, descriptor);
    return descriptor;
  });
}

std::optional<DockerArchiveReader::Place> DockerArchiveReader::place_of(const Digest& digest) {
  const std::scoped_lock lock(mutex_);
  const auto found = places_.find(digest);
  if (found == places_.end()) return std::nullopt;
  return found->second;
}

std::unique_ptr<Source> DockerArchiveReader::do_open(const oci::Descriptor& blob) {
  std::optional<Place> place = place_of(blob.digest);
  // Opened by a digest that the caller knows from elsewhere, before the image was asked for.
  for (std::size_t i = 0; !place && i < images_.size(); ++i) {
    (void)image(i);
    place = place_of(blob.digest);
  }
  if (!place) {
    throw Error(Errc::not_found,
                cat("archive ", quoted(name_.path), " has no blob ", blob.digest.str()));
  }
  if (place->size != blob.size) {
    throw Error(Errc::size_mismatch, cat("open blob ", blob.digest.str(), ": it has ", place->size,
                                         " instead of ", blob.size, " bytes"));
  }
  if (place->member == nullptr) return std::make_unique<TextSource>(std::move(place->text));
  return open_member(*archive_, *place->member, place->decompress);
}

}  // namespace lade
