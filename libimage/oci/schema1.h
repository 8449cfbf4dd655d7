/// Docker's image manifest version 2, schema 1: what registries served before 2016. Only read, to
/// be made into an image of today's kind.
///
/// Such a manifest lists its layers top first, each with the JSON of an image of its own; what runs
/// is the first one's. It knows neither sizes nor diff IDs: whoever converts it reads the layers.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "libimage/oci/document.h"
#include "libimage/oci/image_config.h"

namespace lade::oci {

struct Schema1Layer {
  Digest blob;
  HistoryEntry history = {};  ///< `empty_layer` is set for a step that made no layer
  bool operator==(const Schema1Layer&) const = default;
};

struct Schema1 {
  std::string name = {};
  std::string tag = {};
  std::string architecture = {};
  std::vector<Schema1Layer> layers = {};  ///< bottom first; not empty
  std::string config = {};                ///< JSON of the image on top
  bool operator==(const Schema1&) const = default;

  /// The blobs that are layers, bottom first.
  [[nodiscard]] std::vector<Digest> blobs() const;
};

/// The bytes that a signed manifest's digest names: those without its signatures. What is not
/// signed is returned as it is. Signatures are by keys that nobody knows, so that they are not
/// checked; whoever reads checks the digest. Error{invalid_content} if the signatures do not say
/// what was signed, or not all the same.
std::string schema1_payload(std::string_view json);

/// Reads a manifest without signatures (of any that is there nothing is kept).
/// Error{invalid_content} with the member's path, Error{limit_exceeded}.
Schema1 parse_schema1(std::string_view json);

/// The config of the image that `manifest` describes, as JSON: that of the image on top with
/// `diff_ids` (one for each of blobs()) and the history. Same value, same bytes.
/// Error{invalid_content} if it is no image config, Error{limit_exceeded} beyond kMaxConfigBytes.
std::string schema1_config(const Schema1& manifest, const std::vector<DiffId>& diff_ids);

}  // namespace lade::oci
