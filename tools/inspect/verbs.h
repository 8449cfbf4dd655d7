#pragma once
#include "tools/common/options.h"

namespace lade::tools {

extern const VerbSpec kInspectVerb, kHistoryVerb, kTreeVerb, kRatelimitVerb,
    kValidateVerb;

}  // namespace lade::tools
