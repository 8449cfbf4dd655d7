#pragma once
#include <functional>
#include <memory>

#include "libimage/storage/staged_layer.h"
#include "libimage/store/store.h"

namespace lade {

/// A layer as it came, unpacked.
struct ReceivedLayer {
  oci::Descriptor blob;
  std::shared_ptr<StagedLayer> staged;
};
using LayerReceived = std::function<void(ReceivedLayer)>;

/// Unpacks a layer on a thread of its own while its blob is written; `received` is called at
/// commit(). All it is given outlives it.
std::unique_ptr<BlobWriter> unpacking_writer(const BlobHint& hint, ContainerStore& store,
                                             StagingDir& staging, LayerReceived received);

using TextReceived = std::function<void(const oci::Descriptor&, std::string)>;

/// Holds a small blob (a config) in memory; one that is larger than a document may be is
/// Error{unsupported}.
std::unique_ptr<BlobWriter> text_writer(const BlobHint& hint, TextReceived received);

/// Decides by the first byte which of the two it is: for blobs of which nothing is known.
std::unique_ptr<BlobWriter> guessing_writer(std::function<std::unique_ptr<BlobWriter>()> layer,
                                            std::function<std::unique_ptr<BlobWriter>()> text);

}  // namespace lade
