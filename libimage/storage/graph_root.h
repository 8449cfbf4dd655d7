#pragma once
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "libimage/io/stream.h"
#include "libimage/storage/driver.h"
#include "libimage/storage/records.h"
#include "libimage/storage/store_lock.h"

namespace lade {

/// The JSON files, data items and trees of one containers/storage directory ("graphroot"). Locks
/// are the caller's: layers before images before containers.
class GraphRoot {
 public:
  /// `driver` "": the one whose directories are there, overlay in a new store. Error{not_found} if
  /// there is no store to read.
  GraphRoot(const std::string& path, std::string_view driver, StoreAccess access,
            const std::stop_token& stop);

  [[nodiscard]] const std::string& path() const noexcept { return path_; }
  [[nodiscard]] const std::string& driver_name() const noexcept { return driver_name_; }
  [[nodiscard]] const GraphDriver& driver() const noexcept { return *driver_; }
  [[nodiscard]] GraphDriver& driver() noexcept { return *driver_; }

  [[nodiscard]] StoreLock lock_layers(StoreLock::Mode mode, const std::stop_token& stop) const;
  [[nodiscard]] StoreLock lock_images(StoreLock::Mode mode, const std::stop_token& stop) const;
  [[nodiscard]] StoreLock lock_containers(StoreLock::Mode mode, const std::stop_token& stop) const;

  [[nodiscard]] std::vector<LayerRecord> read_layers() const;
  [[nodiscard]] std::vector<ImageRecord> read_images() const;
  [[nodiscard]] std::vector<ContainerRecord> read_containers() const;

  enum class Durable { no, yes };  ///< yes: survives a power failure
  void write_layers(const std::vector<LayerRecord>& records, Durable durable) const;
  void write_images(const std::vector<ImageRecord>& records) const;

  /// The data item `key` of an image, at most `limit` bytes.
  [[nodiscard]] std::string read_data(const std::string& image, std::string_view key,
                                      std::uint64_t limit) const;
  void write_data(const std::string& image, std::string_view key, std::string_view content) const;
  /// Removes all of an image's data items.
  void remove_data(const std::string& image) const;

  /// The tar-split lines of a layer, decompressed; nullptr if there are none.
  [[nodiscard]] std::unique_ptr<Source> open_tar_split(const std::string& layer) const;
  /// Takes the file `name` of `staging` as the layer's compressed tar-split lines.
  void place_tar_split(const DirFd& staging, const std::string& name,
                       const std::string& layer) const;

  /// Removes the layer's tree and all that belongs to it beside its record.
  void remove_layer(const std::string& layer);

 private:
  [[nodiscard]] DirFd open_records(std::string_view what, StoreAccess access) const;

  std::string path_;
  std::string driver_name_;
  DirFd root_;
  DirFd layers_;  // these three: empty where a store that is read has none
  DirFd images_;
  DirFd containers_;
  std::unique_ptr<GraphDriver> driver_;
};

}  // namespace lade
