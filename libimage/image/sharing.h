/// Which images share which layers: the stacks of layers as a tree, in which images with the same
/// lower layers have the same branch.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "libimage/digest/digest.h"

namespace lade::image {

struct StackedLayer {
  DiffId diff_id;          ///< what makes layers the same, however they are compressed
  std::uint64_t size = 0;  ///< bytes as stored
  bool operator==(const StackedLayer&) const = default;
};

/// An image by its stack.
struct ImageStack {
  std::string name = {};  ///< with its platform, if it is of an index
  Digest manifest;
  std::vector<StackedLayer> layers = {};  ///< base layer first
};

/// A run of layers that all images above it share.
struct SharedLayers {
  std::vector<StackedLayer> layers = {};
  std::vector<ImageStack> images = {};  ///< those that end here, by name
  std::vector<SharedLayers> children = {};
  [[nodiscard]] std::uint64_t bytes() const noexcept;
};

/// The root has no layers, and the images that have none. Deterministic: children are sorted by the
/// first name in them.
SharedLayers shared_layers(std::vector<ImageStack> images);

/// The branch of the images called `name`, with the layers below it and what is above it; the root
/// alone if there is no such image.
SharedLayers branch_to(const SharedLayers& root, const std::vector<Digest>& manifests);

struct SharingText {
  std::size_t width = 0;  ///< columns; 0: any
  bool colour = false;
  bool ascii = false;
  bool each_layer = false;  ///< a line for each layer, not for each run
};
std::string to_text(const SharedLayers& root, const SharingText& options);

/// {"layers":[{"diffId","size"}],"bytes","images":[{"name","digest"}],"children":[...]}
std::string to_json(const SharedLayers& root);

}  // namespace lade::image
