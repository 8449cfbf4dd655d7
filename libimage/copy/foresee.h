/// What a copy will be called before it is made.
#pragma once
#include <optional>

#include "libimage/copy/copy.h"

namespace lade {

/// The root as the copy will have it, where only documents change (another format) or nothing
/// does; nullopt if that depends on blobs that are yet to be made. Asks nobody.
std::optional<oci::Descriptor> foreseen_root(const CopyPlan& plan);

}  // namespace lade
