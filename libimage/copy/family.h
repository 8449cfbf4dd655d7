/// OCI and Docker: which documents a conversion changes, and what stands in its way. Pure.
#pragma once
#include <optional>
#include <string>

#include "libimage/copy/copy.h"

namespace lade {

/// The family of a manifest or index; nullopt for another kind.
std::optional<oci::Family> family_of(const oci::Document& document);

/// True for the manifest of a container image: what has a counterpart in both families. Artifacts
/// and attestations are none.
bool is_image(const oci::Manifest& manifest);

/// True if a conversion to `family` changes `document`: manifests of images and indexes of the
/// other family; to OCI whatever is Docker's.
bool converts(const oci::Document& document, oci::Family family);

/// The family to convert an image or index to; nullopt: leave it. Error{unsupported,
/// invalid_argument} where options, destination and document do not go together.
std::optional<oci::Family> family_to_convert_to(const oci::Document& root,
                                                const Writer::Accepts& accepts,
                                                const CopyOptions& options);

}  // namespace lade
