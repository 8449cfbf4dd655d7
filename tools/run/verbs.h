#pragma once
#include "tools/common/options.h"

namespace lade::tools {

extern const VerbSpec kRunVerb;
extern const VerbSpec kUnshareVerb;
extern const VerbSpec kInfoVerb;

}  // namespace lade::tools
