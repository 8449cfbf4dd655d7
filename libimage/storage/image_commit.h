#pragma once
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "libimage/oci/image_config.h"
#include "libimage/storage/staged_layer.h"
#include "libimage/store/store.h"

namespace lade {

/// A layer blob that is here in some form.
struct AvailableLayer {
  oci::Descriptor blob;
  std::optional<DiffId> diff_id = {};                  ///< nullopt: known once it is unpacked
  std::shared_ptr<StagedLayer> staged = {};            ///< unpacked, not yet placed
  std::function<std::unique_ptr<Source>()> open = {};  ///< reads it, if it is not
};

/// Gives the layers of an image, lowest first, their places over each other, unless they are there;
/// returns the ID of the topmost ("" for none). `diff_ids` are the config's: another content is
/// Error{digest_mismatch}.
std::string commit_layers(ContainerStore& store, StagingDir& staging,
                          std::vector<AvailableLayer>& layers, const std::vector<DiffId>& diff_ids);

}  // namespace lade
