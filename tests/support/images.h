// Small images made in a store, for tests.
#pragma once
#include <string>
#include <vector>

#include "libimage/digest/hasher.h"
#include "libimage/oci/document.h"
#include "libimage/oci/image_config.h"
#include "libimage/store/memory_store.h"

namespace lade::testing_support {

struct MadeImage {
  oci::Descriptor manifest;
  oci::Descriptor config;
  std::vector<oci::Descriptor> layers;
};

/// An image whose layers hold `layers` as stored bytes of type `layer_type`; the config names
/// `diff_ids` of the same bytes (true only for layers without compression).
inline MadeImage make_image(MemoryStore& store, const std::vector<std::string>& layers,
                            const oci::Platform& platform,
                            std::string_view layer_type = oci::kImageLayer,
                            std::string_view manifest_type = oci::kImageManifest) {
  const bool docker = manifest_type == oci::kDockerManifest;
  oci::ImageConfig config;
  config.architecture = platform.architecture;
  config.os = platform.os;
  config.variant = platform.variant;
  oci::Manifest manifest{.media_type = std::string(manifest_type),
                         .config = {.digest = sha256_of("")}};
  for (const std::string& layer : layers) {
    config.diff_ids.push_back({sha256_of(layer)});
    config.history.push_back({.created_by = "test"});
    manifest.layers.push_back(store.put(std::string(layer_type), layer));
  }
  manifest.config = store.put(std::string(docker ? oci::kDockerConfig : oci::kImageConfig),
                              oci::serialise(config));
  const std::string raw = oci::serialise(manifest);
  oci::Descriptor descriptor = oci::describe(std::string(manifest_type), raw);
  descriptor.platform = platform;
  store.put_manifest(descriptor, raw);
  return {descriptor, manifest.config, manifest.layers};
}

inline oci::Descriptor make_index(MemoryStore& store,
                                  const std::vector<oci::Descriptor>& manifests) {
  const oci::Index index{.manifests = manifests};
  const std::string raw = oci::serialise(index);
  oci::Descriptor descriptor = oci::describe(std::string(oci::kImageIndex), raw);
  store.put_manifest(descriptor, raw);
  return descriptor;
}

}  // namespace lade::testing_support
