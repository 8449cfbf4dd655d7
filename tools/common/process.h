#pragma once
#include "tools/common/options.h"

namespace lade::tools {

/// The environment variables of this process; the store is not chosen yet.
Environment process_environment();

/// Effective user id.
unsigned process_uid();

}  // namespace lade::tools
