#pragma once
#include <stop_token>

#include "libimage/copy/copy.h"

namespace lade {

/// How one blob reached the destination.
struct MovedBlob {
  enum class How { moved, existed, mounted };
  oci::Descriptor descriptor;  ///< at the destination
  How how = How::moved;
  std::uint64_t bytes = 0;  ///< written
};

/// Brings one blob to `destination`: not at all if it is there, else by mounting, by a kernel-side
/// copy, or streamed; recompressed where planned, into `family`'s media type. Told in `observer`
/// under the source's digest.
MovedBlob move_blob(const PlannedBlob& planned, Reader& source, Writer& destination,
                    const CopyOptions& options, oci::Family family, ProgressObserver& observer,
                    const std::stop_token& stop);

}  // namespace lade
