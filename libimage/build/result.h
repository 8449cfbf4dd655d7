/// What a build leaves in the local store: configs, manifests, names.
#pragma once
#include "libimage/build/build.h"
#include "libimage/build/build_run.h"

namespace lade::build {

/// The finished last stage for one platform.
struct FinishedTarget {
  oci::Platform platform;
  StageState state;
};

/// Writes the configs and manifests of the finished targets (one at least) into the local store,
/// for several an index over them, and names the result as the options say. Throws
/// Error{limit_exceeded} for a config that nobody could read.
BuildResult store_result(BuildRun& run, std::vector<FinishedTarget> targets);

}  // namespace lade::build
