#include <unordered_set>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/storage/container_store.h"

namespace lade {
namespace {

template <typename Map>
auto find_in(const Map& map, const std::string& key) -> typename Map::mapped_type {
  const auto found = map.find(key);
  return found == map.end() ? nullptr : found->second;
}

}  // namespace

void StoreView::add(LayerRecord record, const GraphRoot& root) {
  if (!is_storage_id(record.id) || record.incomplete()) return;
  layers_.push_back({std::move(record), &root});
  const KnownLayer* const layer = &layers_.back();
  layer_ids_.emplace(layer->record.id, layer);
  if (!layer->record.diff_digest.empty()) diffs_.emplace(layer->record.diff_digest, layer);
  if (!layer->record.compressed_digest.empty()) {
    blobs_.emplace(layer->record.compressed_digest, layer);
  }
}

void StoreView::add(ImageRecord record, const GraphRoot& root) {
  if (!is_storage_id(record.id)) return;
  images_.push_back({std::move(record), &root});
  const KnownImage* const image = &images_.back();
  image_ids_.emplace(image->record.id, image);
  for (const std::string& name : image->record.names) image_names_.emplace(name, image);
  for (const auto& [key, digest] : image->record.data_digests) {
    const auto size = image->record.data_sizes.find(key);
    data_.emplace(digest,
                  Data{image, key, size == image->record.data_sizes.end() ? 0 : size->second});
  }
}

const KnownLayer* StoreView::layer(const std::string& id) const { return find_in(layer_ids_, id); }
const KnownImage* StoreView::image(const std::string& id) const { return find_in(image_ids_, id); }

const KnownImage* StoreView::image_named(const std::string& name) const {
  return find_in(image_names_, name);
}

const KnownImage* StoreView::image_by_prefix(std::string_view prefix) const {
  const KnownImage* found = nullptr;
  for (const KnownImage& image : images_) {
    if (!image.record.id.starts_with(prefix)) continue;
    if (found != nullptr && found->record.id != image.record.id) {
      throw Error(Errc::invalid_argument, cat("several images begin with ", quoted(prefix)));
    }
    found = &image;
  }
  return found;
}

const KnownLayer* StoreView::layer_of_diff(const std::string& digest) const {
  return find_in(diffs_, digest);
}

const KnownLayer* StoreView::layer_of_blob(const std::string& digest) const {
  return find_in(blobs_, digest);
}

std::optional<StoreView::Data> StoreView::data(const std::string& digest) const {
  const auto found = data_.find(digest);
  if (found == data_.end()) return std::nullopt;
  return found->second;
}

std::vector<const KnownLayer*> StoreView::chain(const KnownLayer& layer) const {
  std::vector<const KnownLayer*> out;
  std::unordered_set<std::string> seen;
  for (const KnownLayer* at = &layer;;) {
    if (!seen.insert(at->record.id).second) {
      throw Error(Errc::invalid_content, cat("layer ", at->record.id, " lies below itself"));
    }
    out.push_back(at);
    if (at->record.parent.empty()) return out;
    const KnownLayer* const parent = this->layer(at->record.parent);
    if (parent == nullptr) {
      throw Error(Errc::invalid_content, cat("layer ", at->record.id, ": its parent ",
                                             quoted(at->record.parent), " is missing"));
    }
    at = parent;
  }
}

std::vector<PlacedLayer> placed(const std::vector<const KnownLayer*>& chain) {
  std::vector<PlacedLayer> out;
  for (const KnownLayer* layer : chain) out.push_back({&layer->root->driver(), layer->record.id});
  return out;
}

}  // namespace lade
