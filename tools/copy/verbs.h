#pragma once
#include "tools/common/options.h"

namespace lade::tools {

extern const VerbSpec kCopyVerb;

}  // namespace lade::tools
