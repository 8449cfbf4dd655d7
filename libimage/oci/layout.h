#pragma once
#include <string>
#include <string_view>

namespace lade::oci {

/// image-spec v1.1.1, image-layout.md.
inline constexpr std::string_view kLayoutFile = "oci-layout";
inline constexpr std::string_view kIndexFile = "index.json";
inline constexpr std::string_view kRefNameAnnotation = "org.opencontainers.image.ref.name";

/// The content of a new `oci-layout` file.
std::string layout_marker();

/// Throws Error{invalid_content} unless `json` is an oci-layout file of version 1.x; further
/// members are allowed.
void check_layout_marker(std::string_view json);

}  // namespace lade::oci
