/// Options of `lade build` about the Containerfile, its contexts and the image's configuration.
#pragma once
#include <array>

#include "libimage/build/build.h"

#include "tools/common/options.h"

namespace lade::tools {

inline constexpr std::array<OptionSpec, 6> kLanguageOptions = {{
    {.name = "build-context",
     .value = "NAME=CONTEXT",
     .help = "a further context, for FROM, --from and binds: a directory, a tar, git or http URL, "
             "docker-image://NAME or oci-layout://DIR[:TAG]",
     .repeats = true},
    {.name = "build-arg-file",
     .value = "FILE",
     .help = "build arguments, a line NAME=VALUE each; --build-arg goes before it",
     .repeats = true},
    {.name = "cpp-flag",
     .value = "FLAG",
     .help = "an argument of cpp, through which a Containerfile called *.in goes",
     .repeats = true},
    {.name = "env",
     .value = "KEY[=VALUE]",
     .help = "a variable of the image, set before the first step of the last stage",
     .repeats = true},
    {.name = "unsetenv",
     .value = "KEY",
     .help = "a variable that the image does not keep",
     .repeats = true},
    {.name = "extensions",
     .help = "allow flags of the Containerfile that only this program understands (--lade-...)"},
}};

/// Fills in what these options say, and what the programs that a build starts get of the
/// environment.
void read_language_options(const Arguments& arguments, const Environment& environment,
                           build::BuildOptions& options);

}  // namespace lade::tools
