/// Manifest lists and indexes in container storage, as `buildah manifest` keeps them: an image
/// without layers, whose "manifest" is the list, and a data item that says where each of its
/// images is.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "libimage/storage/container_store.h"

namespace lade {

/// The data item of a list's images: a JSON object from digests to images' names.
inline constexpr std::string_view kInstancesKey = "instances.json";

/// Records the list `raw` under `names`, which it takes from other images. `images` has the IDs of
/// those of its images that are in the store. The same list is recorded once, whatever its names.
/// Error{unsupported} if its digest can be no ID there.
void record_list(ContainerStore& store, const oci::Descriptor& list, const std::string& raw,
                 const std::map<Digest, std::string>& images,
                 const std::vector<std::string>& names);

}  // namespace lade
