#include <algorithm>
#include <set>

#include <fcntl.h>
#include <sys/stat.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/io/path.h"
#include "libimage/storage/container_store.h"

namespace lade {
namespace {

template <typename Records>
auto find_id(Records& records, const std::string& id) {
  return std::find_if(records.begin(), records.end(),
                      [&](const auto& record) { return record.id == id; });
}

/// How often layers are mounted, as the tools that mount them have recorded it.
std::map<std::string, std::int64_t> mount_counts(const StoreLocation& location,
                                                 const std::string& driver) {
  if (location.run_root.empty()) return {};
  const std::string path = cat(location.run_root, "/", driver, "-layers/mountpoints.json");
  struct stat st {};
  if (::stat(path.c_str(), &st) != 0) return {};
  return parse_mount_counts(read_file(path, kMaxRecordsBytes));
}

}  // namespace

StoreUpdate::StoreUpdate(ContainerStore& store)
    : store_(store),
      root_(store.root()),
      layers_lock_(root_.lock_layers(StoreLock::Mode::exclusive, store.stop())),
      images_lock_(root_.lock_images(StoreLock::Mode::exclusive, store.stop())),
      containers_lock_(root_.lock_containers(StoreLock::Mode::shared, store.stop())) {
  layers_ = root_.read_layers();
  images_ = root_.read_images();
  containers_ = root_.read_containers();
  sweep();
  rebuild_view();
}

void StoreUpdate::rebuild_view() {
  view_ = {};
  for (const LayerRecord& layer : layers_) view_.add(layer, root_);
  for (const ImageRecord& image : images_) view_.add(image, root_);
  store_.read_additional(view_);
}

/// What is incomplete while we hold the lock, nobody makes any more.
void StoreUpdate::sweep() {
  std::vector<std::string> dead;
  for (const LayerRecord& layer : layers_) {
    if (layer.incomplete() && is_storage_id(layer.id)) dead.push_back(layer.id);
  }
  for (const std::string& id : dead) remove_layer(id);
}

void StoreUpdate::save_layers(GraphRoot::Durable durable) {
  layers_lock_.touch();
  root_.write_layers(layers_, durable);
}

void StoreUpdate::save_images() {
  images_lock_.touch();
  root_.write_images(images_);
}

void StoreUpdate::add_layer(LayerRecord record, const std::function<void()>& place) {
  record.mark_incomplete();
  layers_.push_back(std::move(record));
  save_layers(GraphRoot::Durable::no);
  const std::string id = layers_.back().id;
  try {
    place();
  } catch (...) {
    remove_layer(id);
    throw;
  }
  layers_.back().mark_complete();
  save_layers(GraphRoot::Durable::yes);
  view_.add(layers_.back(), root_);
}

void StoreUpdate::put_image(const ImageRecord& record) {
  for (ImageRecord& other : images_) {
    if (other.id == record.id) continue;
    for (const std::string& name : record.names) std::erase(other.names, name);
  }
  if (const auto old = find_id(images_, record.id); old != images_.end()) {
    *old = record;
  } else {
    images_.push_back(record);
  }
  save_images();
  rebuild_view();
}

std::vector<std::string> StoreUpdate::layers_only_of(const ImageRecord& image) const {
  std::set<std::string> wanted;  // by other images and by containers
  for (const ImageRecord& other : images_) {
    if (other.id == image.id) continue;
    wanted.insert(other.top_layer);
    wanted.insert(other.mapped_layers.begin(), other.mapped_layers.end());
  }
  for (const ContainerRecord& container : containers_) wanted.insert(container.layer);
  std::vector<std::string> removed = image.mapped_layers;
  std::set<std::string> gone(removed.begin(), removed.end());
  for (std::string at = image.top_layer; !at.empty() && !wanted.contains(at);) {
    const auto record = find_id(layers_, at);
    if (record == layers_.end() || gone.contains(at)) break;
    const bool has_children = std::any_of(
        layers_.begin(), layers_.end(),
        [&](const LayerRecord& other) { return other.parent == at && !gone.contains(other.id); });
    if (has_children) break;
    removed.push_back(at);
    gone.insert(at);
    at = record->parent;
  }
  return removed;
}

void StoreUpdate::check_unused(const ImageRecord& image,
                               const std::vector<std::string>& layers) const {
  for (const ContainerRecord& container : containers_) {
    if (container.image != image.id) continue;
    const std::string& name = container.names.empty() ? container.id : container.names.front();
    throw Error(Errc::denied, cat("image ", image.id, " is used by container ", quoted(name)));
  }
  const auto mounts = mount_counts(store_.location(), root_.driver_name());
  for (const std::string& layer : layers) {
    const auto mount = mounts.find(layer);
    if (mount != mounts.end() && mount->second > 0) {
      throw Error(Errc::denied, cat("image ", image.id, ": its layer ", layer, " is mounted"));
    }
  }
}

void StoreUpdate::remove_image(const std::string& id) {
  const auto found = find_id(images_, id);
  if (found == images_.end()) throw Error(Errc::not_found, cat("no image ", id));
  const std::vector<std::string> layers = layers_only_of(*found);
  check_unused(*found, layers);
  images_.erase(found);
  save_images();
  root_.remove_data(id);
  for (const std::string& layer : layers) {
    if (is_storage_id(layer)) remove_layer(layer);
  }
  rebuild_view();
}

/// Marked first, so that whoever comes after our death goes on.
void StoreUpdate::remove_layer(const std::string& id) {
  const auto record = find_id(layers_, id);
  if (record == layers_.end()) return;
  if (!record->incomplete()) {
    record->mark_incomplete();
    save_layers(GraphRoot::Durable::no);
  }
  root_.remove_layer(id);
  layers_.erase(record);
  save_layers(GraphRoot::Durable::yes);
}

}  // namespace lade
