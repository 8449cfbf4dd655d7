/// Options of `lade build` about the container that RUN is executed in.
#pragma once
#include <array>

#include "libimage/build/run_options.h"

#include "tools/common/options.h"

namespace lade::tools {

inline constexpr std::array<OptionSpec, 21> kRunStepOptions = {{
    {.name = "add-host",
     .value = "NAME:ADDRESS",
     .help =
         "a line of /etc/hosts; the address may be host-gateway, the network's way to this machine",
     .repeats = true},
    {.name = "dns",
     .value = "ADDRESS",
     .help = "a name server instead of this machine's; 'none' leaves /etc/resolv.conf to the image",
     .repeats = true},
    {.name = "dns-search", .value = "DOMAIN", .help = "a search domain of names", .repeats = true},
    {.name = "dns-option",
     .value = "OPTION",
     .help = "an option of resolv.conf(5)",
     .repeats = true},
    {.name = "ulimit",
     .value = "NAME=SOFT[:HARD]",
     .help = "a limit of processes, as in 'nofile=1024:4096'; -1 is none",
     .repeats = true},
    {.name = "shm-size", .value = "SIZE", .help = "size of /dev/shm (default: 64m)"},
    {.name = "cap-add",
     .value = "CAPABILITY",
     .help = "a capability besides the default ones, or 'all'",
     .repeats = true},
    {.name = "cap-drop",
     .value = "CAPABILITY",
     .help = "a default capability that is not given, or 'all'",
     .repeats = true},
    {.name = "security-opt",
     .value = "OPTION",
     .help = "no-new-privileges, seccomp=FILE|unconfined, mask=PATHS, unmask=PATHS|ALL; "
             "label=disable and apparmor=unconfined, which is what steps are anyway",
     .repeats = true},
    {.name = "volume",
     .letter = 'v',
     .value = "SOURCE:TARGET[:ro|rw]",
     .help = "a directory or file of this machine that RUN sees; no layer holds it",
     .repeats = true},
    {.name = "allow",
     .value = "WHAT",
     .help = "what a Containerfile may ask for: security.insecure, for RUN --security=insecure; "
             "network.host, for RUN --network=host where --network is another; device or "
             "device=NAME, for RUN --device",
     .repeats = true},
    {.name = "device",
     .value = "DEVICE",
     .help = "a device that RUN has: /HOST[:/CONTAINER][:rwm], all below a directory, or "
             "vendor.com/class=name of a CDI specification in /etc/cdi or /var/run/cdi",
     .repeats = true},
    {.name = "memory", .letter = 'm', .value = "SIZE", .help = "most memory of a step"},
    {.name = "memory-swap",
     .value = "SIZE",
     .help = "most memory and swap together; -1 is no limit"},
    {.name = "cpu-shares",
     .letter = 'c',
     .value = "N",
     .help = "share of the CPUs in relation to other work; 1024 is usual"},
    {.name = "cpu-period", .value = "MICROSECONDS", .help = "the period that --cpu-quota is for"},
    {.name = "cpu-quota", .value = "MICROSECONDS", .help = "CPU time of a step in each period"},
    {.name = "cpuset-cpus", .value = "LIST", .help = "CPUs that a step may use, as 0-2,4"},
    {.name = "cpuset-mems", .value = "LIST", .help = "memory nodes that a step may use"},
    {.name = "cpus", .value = "N", .help = "CPUs that a step may use at once, as 1.5"},
    {.name = "cgroup-parent",
     .value = "PATH",
     .help = "the control group in which each step gets its own, from the hierarchies' roots"},
}};

/// What these options say. Throws UsageError, and Error{unsupported} for what is not implemented.
build::RunOptions read_run_options(const Arguments& arguments);

}  // namespace lade::tools
