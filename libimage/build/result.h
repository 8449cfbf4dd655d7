/// What a build leaves in the local store: configs, manifests, names.
#pragma once
#include "libimage/build/build.h"
#include "libimage/build/build_run.h"

namespace lade::build {

/// Writes the config and the manifest of a finished stage into the local store and names them as
/// the options say. Throws Error{limit_exceeded} for a config that nobody could read.
BuildResult store_image(BuildRun& run, StageState state);

}  // namespace lade::build
