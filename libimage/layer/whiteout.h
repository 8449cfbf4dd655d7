/// Names that mean removals in a layer (image-spec layer.md, "Whiteouts").
#pragma once
#include <string_view>

namespace lade {

inline constexpr std::string_view kWhiteoutPrefix = ".wh.";
inline constexpr std::string_view kOpaqueName = ".wh..wh..opq";

/// What AUFS kept for itself at the root of layers that Docker made on it, with all below.
constexpr bool is_aufs_metadata(std::string_view path) noexcept {
  const std::string_view first = path.substr(0, path.find('/'));
  return first == ".wh..wh.aufs" || first == ".wh..wh.orph" || first == ".wh..wh.plnk";
}

}  // namespace lade
