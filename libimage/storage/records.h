/// layers.json, images.json and what of containers.json matters here: containers/storage's records
/// as values. Members that this program does not know are kept.
#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libimage/oci/descriptor.h"

namespace lade {

/// Bounds on a store's JSON files, far beyond honest ones.
inline constexpr std::uint64_t kMaxRecordsBytes = std::uint64_t{256} << 20U;
inline constexpr std::size_t kMaxRecords = 200'000;

/// True for 64 digits of lower-case hex: IDs of layers, images and containers. Records of others
/// are kept, but not used, so that no ID can lead out of its directory.
bool is_storage_id(std::string_view text) noexcept;

struct LayerRecord {
  std::string id = {};
  std::vector<std::string> names = {};
  std::string parent = {};
  std::string created = {};            ///< RFC 3339
  std::string compressed_digest = {};  ///< of the blob as it came; "" if unknown
  std::int64_t compressed_size = 0;
  std::string diff_digest = {};  ///< of the uncompressed tar (its diff ID)
  std::int64_t diff_size = 0;
  std::int64_t compression = 0;  ///< 0 none, 1 bzip2, 2 gzip, 3 xz, 4 zstd
  std::vector<std::uint32_t> uids = {};
  std::vector<std::uint32_t> gids = {};
  oci::UnknownMembers flags = {};
  oci::UnknownMembers unknown = {};
  bool operator==(const LayerRecord&) const = default;

  /// True while the layer is made or removed: whoever finds it so, holding the lock, removes it.
  [[nodiscard]] bool incomplete() const;
  void mark_incomplete();
  void mark_complete();
};

struct ImageRecord {
  std::string id = {};
  std::string digest = {};
  std::vector<std::string> names = {};
  std::vector<std::string> names_history = {};  ///< newest first
  std::string top_layer = {};                   ///< "" for an image without layers
  std::vector<std::string> mapped_layers = {};
  std::string metadata = {};
  std::vector<std::string> data_names = {};  ///< of its data items, in the order in which they came
  std::map<std::string, std::int64_t> data_sizes = {};
  std::map<std::string, std::string> data_digests = {};
  std::string created = {};
  oci::UnknownMembers unknown = {};
  bool operator==(const ImageRecord&) const = default;

  /// Records a data item of that name.
  void set_data(const std::string& name, std::int64_t size, const Digest& content);
  /// Adds a name, to the history too; no effect if it has it.
  void add_name(const std::string& name);
};

struct ContainerRecord {
  std::string id = {};
  std::vector<std::string> names = {};
  std::string image = {};
  std::string layer = {};
};

/// Error{invalid_content} with the member's path, Error{limit_exceeded}. An empty text has no
/// records.
std::vector<LayerRecord> parse_layer_records(std::string_view json);
std::vector<ImageRecord> parse_image_records(std::string_view json);
std::vector<ContainerRecord> parse_container_records(std::string_view json);
/// mountpoints.json: how often each layer is mounted, by ID.
std::map<std::string, std::int64_t> parse_mount_counts(std::string_view json);

std::string serialise(const std::vector<LayerRecord>& records);
std::string serialise(const std::vector<ImageRecord>& records);

/// The name of the file that holds the data item `key`: itself, or "=" and base64.
std::string data_file_name(std::string_view key);

/// "manifest-DIGEST": the data item with the manifest of that digest.
std::string manifest_key(const Digest& digest);
inline constexpr std::string_view kManifestKey = "manifest";  ///< the last one stored

}  // namespace lade
