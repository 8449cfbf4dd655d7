/// Which runner executes commands in containers: the built-in one, or another OCI runtime.
#pragma once
#include <array>
#include <memory>

#include "libimage/sandbox/step_runner.h"

#include "tools/common/options.h"

namespace lade::tools {

inline constexpr std::array<OptionSpec, 3> kRunnerOptions = {{
    {.name = "runtime",
     .value = "NAME",
     .help = "have this OCI runtime make the containers (crun, runc or a path) instead of the "
             "built-in runner"},
    {.name = "runtime-flag",
     .value = "FLAG",
     .help = "a global flag for --runtime, with its dashes or without",
     .repeats = true},
    {.name = "isolation",
     .value = "KIND",
     .help = "how containers are kept apart: oci or rootless, by namespaces, as is the default; "
             "buildah's chroot, and vm, are refused"},
}};

/// Where programs of the system are looked for besides PATH.
inline constexpr std::string_view kUsualPath =
    "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Reads kRunnerOptions and $LADE_RUNTIME. UsageError if there is no such program.
std::unique_ptr<sandbox::StepRunner> make_step_runner(const Arguments& arguments,
                                                      const Environment& environment);

}  // namespace lade::tools
