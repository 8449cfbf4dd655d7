// Every verb of the program. A new one is a file in its folder, a line in that folder's header and
// a line here.
#include "tools/build/verbs.h"

#include <array>

#include "tools/common/options.h"
#include "tools/common/own_verbs.h"
#include "tools/copy/verbs.h"
#include "tools/inspect/verbs.h"
#include "tools/run/verbs.h"
#include "tools/runtime/verbs.h"

namespace lade::tools {
namespace {

constexpr std::array<OptionSpec, 3> kGlobalOptions = {{
    {.name = "store",
     .value = "DIR",
     .help = "the local store; else $LADE_STORE, else /var/lib/lade or ~/.local/share/lade"},
    {.name = "version", .help = "print the version"},
    {.name = "help", .letter = 'h', .help = "print this help"},
}};

}  // namespace

std::span<const OptionSpec> global_options() { return kGlobalOptions; }

std::span<const VerbSpec* const> verbs() {
  static constexpr std::array<const VerbSpec*, 57> kVerbs = {
      &kBuildVerb,
      &kImagesVerb,
      &kRmiVerb,
      &kPruneVerb,
      &kCacheLsVerb,
      &kCacheDuVerb,
      &kCachePruneVerb,
      &kCacheLogsVerb,
      &kCacheExportVerb,
      &kIndexCreateVerb,
      &kIndexAddVerb,
      &kIndexRemoveVerb,
      &kIndexAnnotateVerb,
      &kRunVerb,
      &kUnshareVerb,
      &kInfoVerb,
      &kCopyVerb,
      &kSyncVerb,
      &kTagVerb,
      &kDeleteVerb,
      &kManifestPutVerb,
      &kLoginVerb,
      &kLogoutVerb,
      &kInspectVerb,
      &kHistoryVerb,
      &kTreeVerb,
      &kRatelimitVerb,
      &kValidateVerb,
      &kLsVerb,
      &kCatVerb,
      &kFindVerb,
      &kDuVerb,
      &kExtractVerb,
      &kWasteVerb,
      &kDiffVerb,
      &kTagsVerb,
      &kReposVerb,
      &kDigestVerb,
      &kManifestGetVerb,
      &kBlobGetVerb,
      &kRuntimeSpecVerb,
      &kRuntimeCreateVerb,
      &kRuntimeStartVerb,
      &kRuntimeStateVerb,
      &kRuntimeKillVerb,
      &kRuntimeDeleteVerb,
      &kRuntimePauseVerb,
      &kRuntimeResumeVerb,
      &kRuntimeRunVerb,
      &kRuntimeExecVerb,
      &kRuntimeListVerb,
      &kRuntimePsVerb,
      &kRuntimeUpdateVerb,
      &kRuntimeFeaturesVerb,
      &kCompletionVerb,
      &kHelpVerb,
      &kManVerb,
  };
  return kVerbs;
}

}  // namespace lade::tools
