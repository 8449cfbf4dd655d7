#pragma once
#include "tools/common/options.h"

namespace lade::tools {

extern const VerbSpec kInspectVerb, kHistoryVerb, kTreeVerb, kRatelimitVerb, kValidateVerb;
extern const VerbSpec kLsVerb;
extern const VerbSpec kCatVerb;
extern const VerbSpec kFindVerb;
extern const VerbSpec kDuVerb;
extern const VerbSpec kExtractVerb;
extern const VerbSpec kWasteVerb;
extern const VerbSpec kDiffVerb;

}  // namespace lade::tools
