/// What a configuration must satisfy before anything is done for it.
#pragma once
#include "libimage/sandbox/runtime_config.h"

namespace lade::sandbox {

/// Throws Error{invalid_argument} for values that no container can have, Error{unsupported} for
/// valid ones that are not done here; the message names the field by its place in config.json.
void validate(const RuntimeConfig& config);

/// As validate(), for what a StepRunner runs: with mount and pid namespaces of its own, no hooks.
void validate_step(const RuntimeConfig& config);

/// As validate_step(), for one whose container another runtime makes: that executes hooks.
void validate_hosted_step(const RuntimeConfig& config);

/// As validate(), for a process alone.
void validate_process(const Process& process);

/// The number of "RLIMIT_NOFILE"; Error{invalid_argument} if there is no such limit.
int rlimit_number(const std::string& type);

}  // namespace lade::sandbox
