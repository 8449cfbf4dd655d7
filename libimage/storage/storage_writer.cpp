#include "libimage/storage/storage_writer.h"

#include <algorithm>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/digest/hasher.h"
#include "libimage/oci/image_config.h"
#include "libimage/storage/image_commit.h"
#include "libimage/storage/layer_blob_writer.h"
#include "libimage/storage/manifest_list.h"
#include "libimage/storage/signature_data.h"
#include "libimage/storage/storage_name.h"
#include "libimage/storage/storage_reader.h"
#include "libimage/store/blob_check.h"
#include "libimage/store/blob_file.h"

namespace lade {
namespace {

std::string blob_file_name(const Digest& digest) { return cat("blob-", digest.encoded()); }

/// A stored manifest with its layers in their places, without its image's record; or a list.
struct StoredManifest {
  oci::Descriptor descriptor;
  std::string raw = {};
  oci::Descriptor config;  // of a list: itself
  std::string config_raw = {};
  std::string created = {};
  std::string top_layer = {};
};

}  // namespace

struct StorageWriter::State {
  std::shared_ptr<ContainerStore> store;
  std::string image;
  StagingDir staging;
  std::mutex mutex;
  std::map<Digest, AvailableLayer> layers = {};  // guarded by mutex: by blob, as they came
  std::map<Digest, std::string> texts = {};      // guarded by mutex: configs
  std::map<Digest, StoredManifest> stored = {};  // guarded by mutex
  std::optional<Digest> untagged = {};           // guarded by mutex: stored last, without a name
  std::map<Digest, std::vector<std::string>> signatures = {};  // guarded by mutex: by manifest

  State(std::shared_ptr<ContainerStore> opened, std::string name)
      : store(std::move(opened)), image(std::move(name)), staging(store->root().driver().home()) {}

  std::unique_ptr<BlobWriter> layer_writer(const BlobHint& hint);
  std::unique_ptr<BlobWriter> config_writer(const BlobHint& hint);
  AvailableLayer take_layer(const oci::Descriptor& layer);
  std::optional<AvailableLayer> layer_in_store(const oci::Descriptor& layer);
  std::string config_of(const oci::Descriptor& config);
  void write(const StoredManifest& manifest, const std::vector<std::string>& names);
  void write_image(const StoredManifest& manifest, const std::vector<std::string>& names);
  void write_list(const StoredManifest& list, const std::vector<std::string>& names);
  std::optional<std::vector<std::string>> signatures_of(const Digest& digest);
  std::optional<StoredManifest> find_stored(const oci::Descriptor& descriptor);
  [[nodiscard]] std::vector<std::string> own_names(const oci::Descriptor& descriptor) const;
};

StorageWriter::StorageWriter(std::shared_ptr<ContainerStore> store, std::string image)
    : state_(std::make_unique<State>(std::move(store), std::move(image))) {}
StorageWriter::~StorageWriter() = default;

Writer::Accepts StorageWriter::accepts() const {
  return {.referrers = false, .signatures = true, .artifacts = false};
}

bool StorageWriter::contains(const oci::Descriptor& blob) {
  const std::shared_ptr<const StoreView> view = state_->store->view();
  const std::string digest = blob.digest.str();
  if (oci::is_index(blob.media_type)) return false;  // a record more costs nothing
  if (oci::is_manifest(blob.media_type)) {
    const auto data = view->data(digest);
    if (!data || data->image->root != &state_->store->root()) return false;
    const std::string& top = data->image->record.top_layer;
    return top.empty() || view->layer(top) != nullptr;
  }
  const std::scoped_lock lock(state_->mutex);
  if (oci::is_layer(blob.media_type)) {
    return state_->layers.contains(blob.digest) || state_->layer_in_store(blob).has_value();
  }
  return state_->texts.contains(blob.digest) || view->data(digest).has_value();
}

std::unique_ptr<BlobWriter> StorageWriter::State::layer_writer(const BlobHint& hint) {
  if (store->root().driver().stores_changes()) {
    return unpacking_writer(hint, *store, staging, [this](const ReceivedLayer& received) {
      const std::scoped_lock lock(mutex);
      layers.insert_or_assign(received.blob.digest,
                              AvailableLayer{.blob = received.blob,
                                             .diff_id = received.staged->diff_id,
                                             .staged = received.staged});
    });
  }
  // It starts as a copy of what lies below, which is not known yet.
  return std::make_unique<FileBlobWriter>(staging.dir(), hint, blob_file_name);
}

std::unique_ptr<BlobWriter> StorageWriter::State::config_writer(const BlobHint& hint) {
  return text_writer(hint, [this](const oci::Descriptor& blob, std::string text) {
    const std::scoped_lock lock(mutex);
    texts.insert_or_assign(blob.digest, std::move(text));
  });
}

std::unique_ptr<BlobWriter> StorageWriter::start_blob(const BlobHint& hint) {
  State& state = *state_;
  if (!hint.expected) {
    return guessing_writer([&state, hint] { return state.layer_writer(hint); },
                           [&state, hint] { return state.config_writer(hint); });
  }
  const oci::MediaType& type = hint.expected->media_type;
  if (oci::is_encrypted(type)) {
    throw Error(Errc::unsupported, cat("layer ", hint.expected->digest.str(),
                                       " is encrypted: container storage needs it unpacked"));
  }
  return oci::is_layer(type) ? state.layer_writer(hint) : state.config_writer(hint);
}

/// A layer of the store with that content or that blob, to be read again.
std::optional<AvailableLayer> StorageWriter::State::layer_in_store(const oci::Descriptor& layer) {
  const std::shared_ptr<const StoreView> view = store->view();
  const std::string digest = layer.digest.str();
  const KnownLayer* known = view->layer_of_diff(digest);
  if (known == nullptr) known = view->layer_of_blob(digest);
  if (known == nullptr) return std::nullopt;
  const auto diff_id = Digest::try_parse(known->record.diff_digest);
  if (!diff_id || known->record.diff_size <= 0) return std::nullopt;
  const auto size = static_cast<std::uint64_t>(known->record.diff_size);
  return AvailableLayer{.blob = layer,
                        .diff_id = DiffId{*diff_id},
                        .open = [opened = store, view, known, content = *diff_id, size] {
                          return std::make_unique<VerifyingSource>(
                              opened->open_layer(*view, *known), content, size);
                        }};
}

AvailableLayer StorageWriter::State::take_layer(const oci::Descriptor& layer) {
  {
    const std::scoped_lock lock(mutex);
    const auto found = layers.find(layer.digest);
    if (found != layers.end() && found->second.staged) {
      AvailableLayer taken = found->second;
      found->second.staged = nullptr;
      return taken;
    }
  }
  const std::string file = blob_file_name(layer.digest);
  if (has_blob_file(staging.dir(), file, layer)) {
    return {.blob = layer, .open = [this, file, layer] {
              return std::make_unique<FileRangeSource>(open_blob_file(staging.dir(), file, layer),
                                                       0, layer.size, quoted(file));
            }};
  }
  // Also a blob that this image has twice: by then its first layer is in the store.
  return {.blob = layer, .open = [this, layer]() -> std::unique_ptr<Source> {
            const auto known = layer_in_store(layer);
            if (!known) {
              throw Error(Errc::not_found, "it is neither here nor in container storage");
            }
            return known->open();
          }};
}

std::string StorageWriter::State::config_of(const oci::Descriptor& config) {
  {
    const std::scoped_lock lock(mutex);
    if (const auto found = texts.find(config.digest); found != texts.end()) return found->second;
  }
  const std::shared_ptr<const StoreView> view = store->view();
  const auto data = view->data(config.digest.str());
  if (!data) throw Error(Errc::not_found, cat("config ", config.digest.str(), " is not stored"));
  std::string text = read_data(*data);
  check_document(config, text);
  return text;
}

void StorageWriter::put_manifest(const oci::Descriptor& descriptor, std::string_view raw) {
  check_document(descriptor, raw);
  if (oci::is_index(descriptor.media_type)) {
    const std::scoped_lock lock(state_->mutex);
    state_->untagged = descriptor.digest;
    state_->stored.insert_or_assign(
        descriptor.digest,
        StoredManifest{.descriptor = descriptor, .raw = std::string(raw), .config = descriptor});
    return;
  }
  if (!oci::is_manifest(descriptor.media_type)) {
    throw Error(Errc::unsupported, cat("container storage holds images and lists of them, not ",
                                       quoted(descriptor.media_type)));
  }
  const oci::Manifest manifest = oci::parse_manifest(raw, descriptor.media_type);
  if (!oci::is_image_config(manifest.config.media_type)) {
    throw Error(Errc::unsupported,
                cat("container storage holds images only, not artifacts of type ",
                    quoted(manifest.config.media_type)));
  }
  for (const oci::Descriptor& layer : manifest.layers) {
    if (oci::is_layer(layer.media_type)) continue;
    throw Error(Errc::unsupported, cat("container storage holds layers only, not ",
                                       quoted(layer.media_type), " (an attestation?)"));
  }
  StoredManifest stored{
      .descriptor = descriptor, .raw = std::string(raw), .config = manifest.config};
  stored.config_raw = state_->config_of(manifest.config);
  const oci::ImageConfig config = oci::parse_image_config(stored.config_raw);
  stored.created = config.created;
  std::vector<AvailableLayer> layers;
  for (const oci::Descriptor& layer : manifest.layers) layers.push_back(state_->take_layer(layer));
  stored.top_layer = commit_layers(*state_->store, state_->staging, layers, config.diff_ids);
  const std::scoped_lock lock(state_->mutex);
  state_->untagged = descriptor.digest;
  state_->stored.insert_or_assign(descriptor.digest, std::move(stored));
}

std::optional<StoredManifest> StorageWriter::State::find_stored(const oci::Descriptor& descriptor) {
  {
    const std::scoped_lock lock(mutex);
    const auto found = stored.find(descriptor.digest);
    if (found != stored.end()) return found->second;
  }
  const std::shared_ptr<const StoreView> view = store->view();
  const auto data = view->data(descriptor.digest.str());
  if (!data) return std::nullopt;
  std::string raw = read_data(*data);
  check_document(descriptor, raw);
  if (oci::is_index(oci::sniff_media_type(raw))) {
    return StoredManifest{.descriptor = oci::describe(oci::sniff_media_type(raw), raw),
                          .raw = raw,
                          .config = descriptor};
  }
  const oci::Manifest manifest = oci::parse_manifest(raw);
  const ImageRecord& record = data->image->record;
  return StoredManifest{.descriptor = descriptor,
                        .raw = std::move(raw),
                        .config = manifest.config,
                        .config_raw = config_of(manifest.config),
                        .created = record.created,
                        .top_layer = record.top_layer};
}

/// The name of the image as the transport's name has it.
std::vector<std::string> StorageWriter::State::own_names(const oci::Descriptor& descriptor) const {
  if (image.empty()) return {};
  const ImageSpec spec = ImageSpec::parse(image);
  if (!spec.name) return {};
  if (spec.name->digest && *spec.name->digest != descriptor.digest) {
    throw Error(Errc::digest_mismatch, cat("manifest ", descriptor.digest.str(),
                                           " is not the one named, ", spec.name->digest->str()));
  }
  return {spec.name->str()};
}

void StorageWriter::put_signatures(const oci::Descriptor& document,
                                   const std::vector<std::string>& signatures) {
  const std::scoped_lock lock(state_->mutex);
  state_->signatures.insert_or_assign(document.digest, signatures);
}

std::optional<std::vector<std::string>> StorageWriter::State::signatures_of(const Digest& digest) {
  const std::scoped_lock lock(mutex);
  const auto found = signatures.find(digest);
  return found == signatures.end() ? std::nullopt : std::optional(found->second);
}

void StorageWriter::State::write(const StoredManifest& manifest,
                                 const std::vector<std::string>& names) {
  if (oci::is_index(manifest.descriptor.media_type)) {
    write_list(manifest, names);
  } else {
    write_image(manifest, names);
  }
}

void StorageWriter::State::write_list(const StoredManifest& list,
                                      const std::vector<std::string>& names) {
  std::map<Digest, std::string> images;
  for (const oci::Descriptor& entry :
       oci::parse_index(list.raw, list.descriptor.media_type).manifests) {
    const std::optional<StoredManifest> listed = find_stored(entry);
    if (!listed) continue;  // a sparse list, or one with attestations
    write(*listed, {});     // the planner bounds how deep lists are in lists
    images.emplace(entry.digest, listed->config.digest.encoded());
  }
  record_list(*store,
              {.descriptor = list.descriptor,
               .raw = list.raw,
               .images = std::move(images),
               .signatures = signatures_of(list.descriptor.digest)},
              names);
}

void StorageWriter::State::write_image(const StoredManifest& manifest,
                                       const std::vector<std::string>& names) {
  const std::string id(manifest.config.digest.encoded());
  const ImageSpec spec = image.empty() ? ImageSpec{} : ImageSpec::parse(image);
  if (!id.starts_with(spec.id) || !is_storage_id(id)) {
    throw Error(Errc::invalid_argument, cat("the image's ID is ", id, ", not ", quoted(spec.id)));
  }
  StoreUpdate update(*store);
  GraphRoot& root = store->root();
  ImageRecord record;
  if (const KnownImage* const old = update.view().image(id); old != nullptr && old->root == &root) {
    record = old->record;
    if (record.top_layer != manifest.top_layer) {
      throw Error(Errc::already_exists, cat("image ", id, " is there with another top layer"));
    }
  } else {
    record.id = id;
    record.top_layer = manifest.top_layer;
    record.metadata = "{}";
    record.created = parse_rfc3339(manifest.created) ? manifest.created : to_rfc3339(system_now());
  }
  if (!manifest.top_layer.empty() && update.view().layer(manifest.top_layer) == nullptr) {
    throw Error(Errc::unavailable, "the image's layers were removed meanwhile");
  }
  const auto add = [&](const std::string& key, const std::string& text, const Digest& digest) {
    root.write_data(id, key, text);
    record.set_data(key, static_cast<std::int64_t>(text.size()), digest);
  };
  const Digest& digest = manifest.descriptor.digest;
  add(manifest.config.digest.str(), manifest.config_raw, manifest.config.digest);
  add(manifest_key(digest), manifest.raw, digest);
  add(std::string(kManifestKey), manifest.raw, digest);
  if (record.digest.empty()) record.digest = digest.str();
  if (const auto found = signatures_of(digest)) add_signatures(record, digest, *found, add);
  for (const std::string& name : names) record.add_name(name);
  update.put_image(record);
}

void StorageWriter::tag(const Tag& tag, const oci::Descriptor& descriptor) {
  std::vector<std::string> names;
  if (tag.value.empty()) {
    names = state_->own_names(descriptor);
  } else {
    const ImageSpec spec = ImageSpec::parse(tag.value);
    if (!spec.name) {
      throw Error(Errc::invalid_argument, cat("name ", quoted(tag.value), " is an ID"));
    }
    names = {spec.name->str()};
  }
  const std::optional<StoredManifest> manifest = state_->find_stored(descriptor);
  if (!manifest) {
    throw Error(Errc::not_found, cat("manifest ", descriptor.digest.str(), " is not stored"));
  }
  state_->write(*manifest, names);
  const std::scoped_lock lock(state_->mutex);
  if (state_->untagged == descriptor.digest) state_->untagged.reset();
}

void StorageWriter::finish() {
  std::optional<StoredManifest> manifest;
  {
    const std::scoped_lock lock(state_->mutex);
    if (!state_->untagged) return;
    manifest = state_->stored.at(*state_->untagged);
    state_->untagged.reset();
  }
  state_->write(*manifest, state_->own_names(manifest->descriptor));
}

void StorageWriter::remove(const TagOrDigest& reference) {
  State& state = *state_;
  StoreUpdate update(*state.store);
  std::string text = to_string(reference);
  if (const auto* tag = std::get_if<Tag>(&reference); tag != nullptr && tag->value.empty()) {
    text = state.image;
  }
  const KnownImage* found = nullptr;
  std::optional<Reference> name;
  if (std::holds_alternative<Digest>(reference)) {
    const auto data = update.view().data(text);
    if (data && data->key.starts_with(kManifestKey)) found = data->image;
    if (found == nullptr && !state.image.empty()) found = find_image(update.view(), state.image);
  } else {
    found = find_image(update.view(), text);
    if (!text.empty()) name = ImageSpec::parse(text).name;
  }
  if (found == nullptr) throw Error(Errc::not_found, cat("no image ", quoted(text)));
  if (found->root != &state.store->root()) {
    throw Error(Errc::denied, cat("image ", quoted(text), " is in a store that is read only"));
  }
  ImageRecord record = found->record;
  const bool by_name = name && update.view().image_named(name->str()) == found;
  if (!by_name || record.names.size() <= 1) {
    update.remove_image(record.id);
    return;
  }
  std::erase(record.names, name->str());
  update.put_image(record);
}

}  // namespace lade
