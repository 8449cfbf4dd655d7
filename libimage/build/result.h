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

/// Throws what store_result() would refuse in the options, before anything is built.
void check_result_options(const BuildRun& run);

/// Squashes the finished targets (one at least), looks into them for their attestations, writes
/// configs, manifests and the index into the local store and names the result as the options say.
/// Throws Error{limit_exceeded} for a config that nobody could read.
BuildResult store_result(BuildRun& run, std::vector<FinishedTarget> targets,
                         const std::stop_token& stop);

}  // namespace lade::build
