#pragma once
#include "tools/common/options.h"

namespace lade::tools {

extern const VerbSpec kInspectVerb;

}  // namespace lade::tools
