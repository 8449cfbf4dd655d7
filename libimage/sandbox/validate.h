/// What a configuration must satisfy before anything is done for it.
#pragma once
#include "libimage/sandbox/runtime_config.h"

namespace lade::sandbox {

/// Throws Error{invalid_argument} for values that no step can have, Error{unsupported} for valid
/// ones that the built-in runner does not do.
void validate(const RuntimeConfig& config);

/// The number of "RLIMIT_NOFILE"; Error{invalid_argument} if there is no such limit.
int rlimit_number(const std::string& type);

}  // namespace lade::sandbox
