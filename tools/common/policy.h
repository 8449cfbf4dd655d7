/// The system's policy.json, for every command that takes images from elsewhere.
#pragma once
#include <string>

#include "libimage/config/policy.h"

#include "tools/common/options.h"

namespace lade::tools {

/// The user's policy, else the system's; everything is accepted where there is none.
Policy system_policy(const Environment& environment);

/// Refuses the image called `name` if the system's policy does: Error{denied}, or
/// Error{unsupported} where it demands a signature. Bare names, of the local store, are the user's
/// own.
void enforce_policy(const std::string& name, const Environment& environment);

}  // namespace lade::tools
