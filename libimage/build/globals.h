#pragma once
#include <map>
#include <string>
#include <vector>

#include "libimage/build/build.h"
#include "libimage/build/stage_graph.h"

namespace lade::build {

/// What FROM lines expand by: the platform arguments for an image for `platform` and for this
/// machine, TARGETSTAGE (`target`; "" is "default"), then the ARGs before the first FROM, each with
/// the value of `build_args` where it has one. Errors have the ARG's place and excerpt.
Environment global_variables(const Containerfile& file,
                             const std::map<std::string, std::string>& build_args,
                             const std::string& target, const oci::Platform& platform);

/// The platforms that a build is for, at least one, none twice, with their variables.
std::vector<BuildTarget> build_targets(const Containerfile& file, const BuildOptions& options);

}  // namespace lade::build
