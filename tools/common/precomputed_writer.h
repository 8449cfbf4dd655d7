/// --dest-precompute-digests
#pragma once
#include <memory>
#include <string>

#include "libimage/store/store.h"

namespace lade::tools {

/// A Writer in front of `destination` that keeps a blob whose digest is not known yet (a layer that
/// is compressed on its way) in a file without a name under `temp_root`, and sends it only if the
/// destination does not have it. Everything else is passed on. `destination` must live longer.
std::unique_ptr<Writer> precomputing(Writer& destination, std::string temp_root);

}  // namespace lade::tools
