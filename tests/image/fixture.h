/// Small images in a store in memory.
#pragma once
#include <string>
#include <vector>

#include "libimage/base/text.h"
#include "libimage/digest/hasher.h"
#include "libimage/oci/document.h"
#include "libimage/oci/image_config.h"
#include "libimage/store/memory_store.h"

namespace lade::image {

struct ImageSpec {
  std::string os = "linux";
  std::string architecture = "amd64";
  std::string variant = {};
  std::vector<std::string> layers = {"base"};  ///< contents
  std::vector<oci::HistoryEntry> history = {};
  std::optional<oci::ExecutionConfig> execution = {};
};

/// Layers are described, never stored: nothing here may open them.
inline oci::Descriptor layer_of(const std::string& content,
                                std::string_view type = oci::kImageLayerGzip) {
  return oci::describe(oci::MediaType(type), content);
}

inline oci::Descriptor put_manifest(MemoryStore& store, const oci::Manifest& manifest) {
  return store.put(manifest.media_type, oci::serialise(manifest));
}

inline oci::Descriptor put_index(MemoryStore& store, std::vector<oci::Descriptor> entries) {
  oci::Index index;
  index.manifests = std::move(entries);
  return store.put(index.media_type, oci::serialise(index));
}

inline oci::Descriptor put_image(MemoryStore& store, const ImageSpec& spec) {
  oci::ImageConfig config;
  config.created = "2026-01-02T03:04:05Z";
  config.os = spec.os;
  config.architecture = spec.architecture;
  config.variant = spec.variant;
  config.config = spec.execution;
  config.history = spec.history;
  for (const std::string& layer : spec.layers) config.diff_ids.push_back({sha256_of(layer)});
  oci::Manifest manifest{.config =
                             store.put(oci::MediaType(oci::kImageConfig), oci::serialise(config))};
  for (const std::string& layer : spec.layers) manifest.layers.push_back(layer_of(layer));
  return put_manifest(store, manifest);
}

inline oci::Descriptor with_platform(oci::Descriptor entry, std::string os,
                                     std::string architecture, std::string variant = {}) {
  entry.platform = oci::Platform{
      .architecture = std::move(architecture), .os = std::move(os), .variant = std::move(variant)};
  return entry;
}

}  // namespace lade::image
