/// What the verbs of 'lade runtime' share.
#pragma once
#include <array>
#include <functional>
#include <string>

#include "libimage/runtime/container.h"

#include "tools/common/options.h"

namespace lade::tools {

inline constexpr std::array<std::string_view, 2> kLogFormats = {"text", "json"};
inline constexpr std::array<std::string_view, 2> kListFormats = {"table", "json"};

inline constexpr std::array<OptionSpec, 4> kRuntimeOptions = {{
    {.name = "root",
     .value = "DIR",
     .help = "where containers are kept between commands; else /run/lade/runtime or "
             "$XDG_RUNTIME_DIR/lade/runtime"},
    {.name = "log", .value = "FILE", .help = "append errors and warnings to this file as well"},
    {.name = "log-format",
     .value = "FORMAT",
     .help = "how they are written there",
     .choices = kLogFormats},
    {.name = "systemd-cgroup", .help = "refused: control groups are made without systemd"},
}};

inline constexpr std::array<OptionSpec, 5> kProcessOptions = {{
    {.name = "pid-file", .value = "FILE", .help = "write the process's id to this file"},
    {.name = "console-socket",
     .value = "SOCKET",
     .help = "send the controlling end of the terminal to this socket"},
    {.name = "preserve-fds",
     .value = "N",
     .help = "pass on N descriptors from number 3 on besides the standard streams"},
    {.name = "no-new-keyring", .help = "let the container use the caller's session keyring"},
    {.name = "detach", .letter = 'd', .help = "return once the process runs"},
}};

/// Runs `body` with the runtime that the options ask for; errors and warnings go to the log too.
int with_runtime(const Arguments& arguments, const Environment& environment,
                 const std::function<int(runtime::Runtime&)>& body);

/// Reads kProcessOptions.
runtime::ProcessOptions process_options(const Arguments& arguments);

/// Runs `begin` with this process's terminal passed on where `terminal` asks for one and no console
/// socket is given, and waits for the child's end unless --detach; the exit status.
int run_in_front(const Arguments& arguments, bool terminal,
                 const std::function<runtime::Child(const runtime::ProcessOptions&)>& begin);

}  // namespace lade::tools
