/// Manifest lists and indexes in container storage, as `buildah manifest` keeps them: an image
/// without layers, whose "manifest" is the list, and a data item that says where each of its
/// images is.
#pragma once
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "libimage/storage/container_store.h"

namespace lade {

/// The data item of a list's images: a JSON object from digests to images' names.
inline constexpr std::string_view kInstancesKey = "instances.json";

struct ListToRecord {
  oci::Descriptor descriptor;
  std::string raw;
  /// The IDs of those of its images, and of the lists in it, that are in the store.
  std::map<Digest, std::string> images = {};
  std::optional<std::vector<std::string>> signatures = {};  ///< nullopt: as they are there
};

/// Records the list under `names`, which it takes from other images. The same list is recorded
/// once, whatever its names. Error{unsupported} if its digest can be no ID there.
void record_list(ContainerStore& store, const ListToRecord& list,
                 const std::vector<std::string>& names);

}  // namespace lade
