#pragma once
#include <optional>
#include <string_view>
#include <vector>

#include "libimage/oci/descriptor.h"

namespace lade {

/// "os/arch[/variant]", "arch" alone or "os" alone as docker's --platform takes them, normalised:
/// aarch64 is arm64, x86_64 is amd64, arm64/v8 is arm64, arm is arm/v7. Throws
/// Error{invalid_argument}.
oci::Platform parse_platform(std::string_view text);

/// Normalised copy (as parse_platform does).
oci::Platform normalised(oci::Platform platform);

/// The machine that this program runs on.
oci::Platform host_platform();

/// Position in `candidates` of the best match for `wanted`, nullopt if none fits. First match wins
/// among equals (image-spec v1.1.1, image-index.md); higher variants up to the wanted one are
/// preferred (amd64 v3, v2, v1; arm v7, v6, v5; arm64 v8...). "unknown/unknown" (attestations)
/// never matches. Of entries for the same platform, images come before artifacts. A candidate
/// without a platform matches only when it is the only one.
std::optional<std::size_t> choose_platform(const std::vector<oci::Descriptor>& candidates,
                                           const oci::Platform& wanted);

/// True if an image for `have` runs where `wanted` was asked for.
bool platform_fits(const oci::Platform& have, const oci::Platform& wanted);

}  // namespace lade
