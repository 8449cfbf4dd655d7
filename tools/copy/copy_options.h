#pragma once
#include "libimage/copy/copy.h"

#include "tools/common/options.h"

namespace lade::tools {

/// What the options of `lade copy` ask of the engine. Throws UsageError.
CopyOptions copy_options(const Arguments& arguments);

}  // namespace lade::tools
