/// What made an image: its history entries beside its layers.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libimage/oci/document.h"
#include "libimage/oci/image_config.h"

namespace lade::image {

/// A step of the history and the layer that it made, or a layer of which no entry tells.
struct HistoryLine {
  oci::HistoryEntry entry = {};
  std::optional<oci::Descriptor> layer = {};
};

/// Oldest first. Where the numbers of layers and of entries that make one differ, nobody can tell
/// which entry made which layer: then the entries come without layers, and the layers after them.
std::vector<HistoryLine> history_of(const std::vector<oci::HistoryEntry>& history,
                                    const std::vector<oci::Descriptor>& layers);

/// `created_by` as its author wrote it, on one line and harmless to a terminal: without what
/// builders put around it.
std::string instruction_of(std::string_view created_by);

}  // namespace lade::image
