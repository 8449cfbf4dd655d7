/// Options of other builders that this program does not have.
#pragma once
#include <optional>
#include <string_view>

namespace lade::tools {

/// Why `lade build` has no option `name` ("no-cache-filter") that docker buildx build, docker build
/// or buildah build has, and what there is instead; nullopt for a name that means nothing there
/// either. docs/build.md lists them.
std::optional<std::string_view> why_build_lacks(std::string_view name);

}  // namespace lade::tools
