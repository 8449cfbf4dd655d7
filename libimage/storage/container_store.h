/// A containers/storage store: its records at one moment, and changes to them under its locks.
#pragma once
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "libimage/digest/digest.h"
#include "libimage/storage/graph_root.h"

namespace lade {

/// Where a store is (containers-storage.conf(5)).
struct StoreLocation {
  std::string driver = {};  ///< "": what is there
  std::string graph_root = {};
  std::string run_root = {};
  std::vector<std::string> image_stores = {};  ///< additional ones, read only
  bool ignore_chown_errors = false;            ///< all files belong to the caller
};

struct KnownLayer {
  LayerRecord record;
  const GraphRoot* root;  ///< the store that holds it
};

struct KnownImage {
  ImageRecord record;
  const GraphRoot* root;
};

/// The records of a store and of its additional stores, found by what names them. Pointers into it
/// live as long as it does.
class StoreView {
 public:
  void add(LayerRecord record, const GraphRoot& root);
  void add(ImageRecord record, const GraphRoot& root);

  [[nodiscard]] const KnownLayer* layer(const std::string& id) const;
  [[nodiscard]] const KnownImage* image(const std::string& id) const;
  [[nodiscard]] const KnownImage* image_named(const std::string& name) const;
  /// The image whose ID begins with `prefix`; nullptr if there is none. Error{invalid_argument} if
  /// there are several.
  [[nodiscard]] const KnownImage* image_by_prefix(std::string_view prefix) const;
  /// A layer whose uncompressed content, or whose blob as it came, has the digest.
  [[nodiscard]] const KnownLayer* layer_of_diff(const std::string& digest) const;
  [[nodiscard]] const KnownLayer* layer_of_blob(const std::string& digest) const;
  /// A data item of an image with the digest.
  struct Data {
    const KnownImage* image;
    std::string key;
    std::int64_t size;
  };
  [[nodiscard]] std::optional<Data> data(const std::string& digest) const;

  /// `layer` and all below it, nearest first. Error{invalid_content} if one is missing or they go
  /// in a circle.
  [[nodiscard]] std::vector<const KnownLayer*> chain(const KnownLayer& layer) const;

  [[nodiscard]] const std::deque<KnownLayer>& layers() const noexcept { return layers_; }
  [[nodiscard]] const std::deque<KnownImage>& images() const noexcept { return images_; }

 private:
  std::deque<KnownLayer> layers_;
  std::deque<KnownImage> images_;
  std::unordered_map<std::string, const KnownLayer*> layer_ids_;
  std::unordered_map<std::string, const KnownLayer*> diffs_;
  std::unordered_map<std::string, const KnownLayer*> blobs_;
  std::unordered_map<std::string, const KnownImage*> image_ids_;
  std::unordered_map<std::string, const KnownImage*> image_names_;
  std::unordered_map<std::string, Data> data_;
};

/// `below` as drivers see it.
std::vector<PlacedLayer> placed(const std::vector<const KnownLayer*>& chain);

class ContainerStore {
 public:
  /// Opens the store, and makes it if it is opened for writing and missing. Errors name it, and
  /// what a store of another user namespace needs.
  ContainerStore(StoreLocation location, StoreAccess access, std::stop_token stop);

  [[nodiscard]] const StoreLocation& location() const noexcept { return location_; }
  [[nodiscard]] const std::stop_token& stop() const noexcept { return stop_; }
  [[nodiscard]] const GraphRoot& root() const noexcept { return *roots_.front(); }
  [[nodiscard]] GraphRoot& root() noexcept { return *roots_.front(); }

  /// The records as they are now; the same object while nobody has changed them. Thread-safe.
  [[nodiscard]] std::shared_ptr<const StoreView> view();

  /// The uncompressed tar of a layer, put together again: the bytes are for the caller to verify.
  [[nodiscard]] std::unique_ptr<Source> open_layer(const StoreView& view,
                                                   const KnownLayer& layer) const;

 private:
  friend class StoreUpdate;
  [[nodiscard]] std::string stamps(const std::vector<StoreLock>& locks) const;
  void read_additional(StoreView& view) const;

  StoreLocation location_;
  std::stop_token stop_;
  std::vector<std::unique_ptr<GraphRoot>> roots_;  // the store itself first
  std::mutex mutex_;
  std::shared_ptr<const StoreView> view_;  // guarded by mutex_
  std::string stamps_;                     // guarded by mutex_: of the locks when view_ was read
};

/// Holds the store's locks and changes it; others see each change whole. What dead processes left
/// half made is removed first.
class StoreUpdate {
 public:
  explicit StoreUpdate(ContainerStore& store);

  [[nodiscard]] const StoreView& view() const noexcept { return view_; }

  /// Records `record` as incomplete, calls `place` to give its tree and files their places, then
  /// records it as complete.
  void add_layer(LayerRecord record, const std::function<void()>& place);

  /// Records `record`, new or in place of the one of its ID. Its names are taken from other images.
  /// Its data items are written already.
  void put_image(const ImageRecord& record);

  /// Removes the image with its data items and the layers that only it needed. Error{denied} if a
  /// container uses it or one of those layers is mounted.
  void remove_image(const std::string& id);

 private:
  void sweep();
  [[nodiscard]] std::vector<std::string> layers_only_of(const ImageRecord& image) const;
  void check_unused(const ImageRecord& image, const std::vector<std::string>& layers) const;
  void remove_layer(const std::string& id);
  void save_layers(GraphRoot::Durable durable);
  void save_images();
  void rebuild_view();

  ContainerStore& store_;
  GraphRoot& root_;
  StoreLock layers_lock_;
  StoreLock images_lock_;
  StoreLock containers_lock_;
  std::vector<LayerRecord> layers_;  // of the store itself
  std::vector<ImageRecord> images_;
  std::vector<ContainerRecord> containers_;
  StoreView view_;
};

}  // namespace lade
