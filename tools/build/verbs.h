#pragma once
#include "tools/common/options.h"

namespace lade::tools {

extern const VerbSpec kBuildVerb;
extern const VerbSpec kImagesVerb;
extern const VerbSpec kRmiVerb;
extern const VerbSpec kPruneVerb;
extern const VerbSpec kCacheLsVerb;
extern const VerbSpec kCacheDuVerb;
extern const VerbSpec kCachePruneVerb;
extern const VerbSpec kCacheLogsVerb;
extern const VerbSpec kCacheExportVerb;
extern const VerbSpec kIndexCreateVerb;
extern const VerbSpec kIndexAddVerb;
extern const VerbSpec kIndexRemoveVerb;
extern const VerbSpec kIndexAnnotateVerb;

}  // namespace lade::tools
