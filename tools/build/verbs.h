#pragma once
#include "tools/common/options.h"

namespace lade::tools {

extern const VerbSpec kBuildVerb;
extern const VerbSpec kImagesVerb;
extern const VerbSpec kRmiVerb;
extern const VerbSpec kPruneVerb;
extern const VerbSpec kIndexCreateVerb;
extern const VerbSpec kIndexAddVerb;
extern const VerbSpec kIndexRemoveVerb;
extern const VerbSpec kIndexAnnotateVerb;

}  // namespace lade::tools
