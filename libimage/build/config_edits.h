#pragma once
#include "libimage/build/build_run.h"

namespace lade::build {

/// What the command line says of the image before the last stage's first step: --env, as an ENV.
void begin_target(StageState& state, const BuildOptions& options, const std::string& created);

/// What it says after the last step: --unsetenv.
void finish_target(StageState& state, const BuildOptions& options);

}  // namespace lade::build
