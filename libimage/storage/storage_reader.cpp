#include "libimage/storage/storage_reader.h"

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/oci/image_config.h"
#include "libimage/storage/signature_data.h"
#include "libimage/storage/storage_name.h"
#include "libimage/store/text_source.h"

namespace lade {
namespace {

/// The manifest that an image is known by: the one of the digest in its name, else the last stored.
std::optional<oci::Descriptor> manifest_of(const KnownImage& image,
                                           const std::optional<Digest>& named) {
  std::string key(kManifestKey);
  if (named && image.record.data_digests.contains(manifest_key(*named))) key = manifest_key(*named);
  if (!image.record.data_digests.contains(key)) return std::nullopt;
  const std::string raw = image.root->read_data(image.record.id, key, oci::kMaxManifestBytes);
  oci::Descriptor found = oci::describe(oci::sniff_media_type(raw), raw);
  if (named && key != kManifestKey) found.digest = *named;  // verified when it is opened
  return found;
}

}  // namespace

std::string read_data(const StoreView::Data& data) {
  return data.image->root->read_data(data.image->record.id, data.key, oci::kMaxManifestBytes);
}

StorageReader::StorageReader(std::shared_ptr<ContainerStore> store, std::string image)
    : store_(std::move(store)), image_(std::move(image)) {}

std::optional<oci::Descriptor> StorageReader::resolve(const TagOrDigest& reference) {
  if (const auto* digest = std::get_if<Digest>(&reference)) return resolve_digest(*digest);
  const std::string& tag = std::get<Tag>(reference).value;
  if (!tag.empty()) return resolve_text(tag);
  if (image_.empty()) {
    throw Error(Errc::invalid_argument,
                cat("the name of container storage ", quoted(store_->location().graph_root),
                    " names no image in it"));
  }
  return resolve_text(image_);
}

std::optional<oci::Descriptor> StorageReader::resolve_text(const std::string& text) {
  const std::shared_ptr<const StoreView> view = store_->view();
  const KnownImage* const image = find_image(*view, text);
  if (image == nullptr) return std::nullopt;
  const ImageSpec spec = ImageSpec::parse(text);
  return manifest_of(*image, spec.name ? spec.name->digest : std::nullopt);
}

std::optional<oci::Descriptor> StorageReader::resolve_digest(const Digest& digest) {
  const std::shared_ptr<const StoreView> view = store_->view();
  if (!image_.empty()) {
    const KnownImage* const own = find_image(*view, image_);
    if (own != nullptr && own->record.data_digests.contains(manifest_key(digest))) {
      return manifest_of(*own, digest);
    }
  }
  const auto data = view->data(digest.str());
  if (!data || !data->key.starts_with(kManifestKey)) return std::nullopt;
  const std::string raw = read_data(*data);
  oci::Descriptor found = oci::describe(oci::sniff_media_type(raw), raw);
  found.digest = digest;
  return found;
}

std::optional<std::vector<std::string>> StorageReader::tags() {
  const std::shared_ptr<const StoreView> view = store_->view();
  std::optional<Reference> wanted;
  if (!image_.empty()) wanted = ImageSpec::parse(image_).name;
  std::vector<std::string> names;
  for (const KnownImage& image : view->images()) {
    for (const std::string& name : image.record.names) {
      const auto reference = Reference::try_parse(name);
      if (wanted && (!reference || reference->registry != wanted->registry ||
                     reference->repository != wanted->repository)) {
        continue;
      }
      names.push_back(name);
    }
  }
  return names;
}

/// Remembers which content each layer of the manifest has.
void StorageReader::note_layers(const StoreView& view, const std::string& raw) {
  const oci::Manifest manifest = oci::parse_manifest(raw);
  if (!oci::is_image_config(manifest.config.media_type)) return;
  const auto data = view.data(manifest.config.digest.str());
  if (!data) return;
  const oci::ImageConfig config = oci::parse_image_config(read_data(*data));
  if (config.diff_ids.size() != manifest.layers.size()) return;
  const std::scoped_lock lock(mutex_);
  for (std::size_t i = 0; i < config.diff_ids.size(); ++i) {
    diff_ids_.insert_or_assign(manifest.layers[i].digest, config.diff_ids[i]);
  }
}

oci::Descriptor StorageReader::served_as(const oci::Descriptor& layer) {
  if (!oci::is_layer(layer.media_type)) return layer;
  const std::shared_ptr<const StoreView> view = store_->view();
  const std::string digest = layer.digest.str();
  if (view->layer_of_diff(digest) != nullptr || view->data(digest)) return layer;
  const KnownLayer* found = nullptr;
  {
    const std::scoped_lock lock(mutex_);
    const auto known = diff_ids_.find(layer.digest);
    if (known != diff_ids_.end()) found = view->layer_of_diff(known->second.value.str());
  }
  if (found == nullptr) found = view->layer_of_blob(digest);
  if (found == nullptr) return layer;
  const auto diff_id = Digest::try_parse(found->record.diff_digest);
  if (!diff_id || found->record.diff_size <= 0) {
    throw Error(
        Errc::unsupported,
        cat("layer ", digest, ": the store does not know the digest or size of its content"));
  }
  const oci::Family family = layer.media_type.starts_with("application/vnd.docker.")
                                 ? oci::Family::docker
                                 : oci::Family::oci;
  return {.media_type = oci::layer_media_type(family, "identity"),
          .digest = *diff_id,
          .size = static_cast<std::uint64_t>(found->record.diff_size)};
}

std::vector<std::string> StorageReader::signatures(const oci::Descriptor& document) {
  const std::shared_ptr<const StoreView> view = store_->view();
  const auto stored = view->data(document.digest.str());
  if (!stored) return {};
  const ImageRecord& record = stored->image->record;
  const SignatureData data = signatures_in(record, document.digest);
  if (data.key.empty() || data.sizes.empty()) return {};
  return cut_signatures(stored->image->root->read_data(record.id, data.key, oci::kMaxManifestBytes),
                        data);
}

std::unique_ptr<Source> StorageReader::do_open(const oci::Descriptor& blob) {
  const std::shared_ptr<const StoreView> view = store_->view();
  const std::string digest = blob.digest.str();
  if (const auto data = view->data(digest)) {
    std::string raw = read_data(*data);
    if (oci::is_manifest(blob.media_type)) note_layers(*view, raw);
    return std::make_unique<TextSource>(std::move(raw));
  }
  if (const KnownLayer* const layer = view->layer_of_diff(digest)) {
    return with_context([&] { return cat("layer ", layer->record.id); },
                        [&] { return store_->open_layer(*view, *layer); });
  }
  if (view->layer_of_blob(digest) != nullptr) {
    throw Error(Errc::unsupported,
                cat(digest, " was a compressed layer: container storage has its content only"));
  }
  throw Error(Errc::not_found, cat("container storage has no blob ", digest));
}

}  // namespace lade
