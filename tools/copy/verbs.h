#pragma once
#include "tools/common/options.h"

namespace lade::tools {

extern const VerbSpec kCopyVerb;
extern const VerbSpec kSyncVerb;
extern const VerbSpec kTagVerb;
extern const VerbSpec kDeleteVerb;
extern const VerbSpec kManifestPutVerb;
extern const VerbSpec kTagsVerb;
extern const VerbSpec kReposVerb;
extern const VerbSpec kDigestVerb;
extern const VerbSpec kManifestGetVerb;
extern const VerbSpec kBlobGetVerb;
extern const VerbSpec kLoginVerb;
extern const VerbSpec kLogoutVerb;

}  // namespace lade::tools
