#pragma once
#include "tools/common/options.h"

namespace lade::tools {

extern const VerbSpec kRuntimeSpecVerb;
extern const VerbSpec kRuntimeCreateVerb;
extern const VerbSpec kRuntimeStartVerb;
extern const VerbSpec kRuntimeStateVerb;
extern const VerbSpec kRuntimeKillVerb;
extern const VerbSpec kRuntimeDeleteVerb;
extern const VerbSpec kRuntimePauseVerb;
extern const VerbSpec kRuntimeResumeVerb;
extern const VerbSpec kRuntimeRunVerb;
extern const VerbSpec kRuntimeExecVerb;
extern const VerbSpec kRuntimeListVerb;
extern const VerbSpec kRuntimePsVerb;
extern const VerbSpec kRuntimeUpdateVerb;
extern const VerbSpec kRuntimeFeaturesVerb;

/// The words of a program that is called as an OCI runtime ("lade-runtime --root DIR create ID") as
/// those of 'lade runtime': options before the verb go behind it.
std::vector<std::string> runtime_words(std::vector<std::string> words);

}  // namespace lade::tools
