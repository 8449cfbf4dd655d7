#pragma once
#include "tools/common/options.h"

namespace lade::tools {

extern const VerbSpec kCompletionVerb;
extern const VerbSpec kHelpVerb;
extern const VerbSpec kManVerb;  ///< not listed: packagers and the documentation test call it

}  // namespace lade::tools
