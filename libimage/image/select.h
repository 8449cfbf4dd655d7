/// From a root descriptor to the image of one platform and its config.
#pragma once
#include "libimage/oci/document.h"
#include "libimage/oci/image_config.h"
#include "libimage/store/store.h"

namespace lade::image {

/// Indexes read for one choice; more only attack clients.
inline constexpr std::size_t kMaxIndexesRead = 100;

/// The image manifest for `platform` that `root` leads to: `root` itself if it is a manifest (its
/// platform is not looked at), else the best entry of the index (choose_platform), else of the
/// indexes within it, in order. The result's descriptor is the entry's, with its platform.
///
/// Error{not_found}: no entry fits; the message lists the platforms that there are.
/// Error{unsupported}: the document is neither manifest nor index. Error{limit_exceeded}: indexes
/// nested deeper than oci::kMaxIndexDepth, or more than kMaxIndexesRead.
oci::Document select(Reader& reader, const oci::Descriptor& root, const oci::Platform& platform);

/// The config of an image. Error{unsupported}: the manifest's config is no image config (an
/// artifact). Error{limit_exceeded}: more than oci::kMaxConfigBytes. Error{invalid_content}: it
/// breaks the specification, or lists another number of diff IDs than the manifest has layers.
oci::ImageConfig read_config(Reader& reader, const oci::Manifest& manifest);

}  // namespace lade::image
