/// Option groups that several verbs share.
#pragma once
#include <array>

#include "tools/common/options.h"

namespace lade::tools {

inline constexpr std::array<std::string_view, 5> kProgressChoices = {"auto", "plain", "tty", "json",
                                                                     "none"};

inline constexpr std::array<OptionSpec, 2> kProgressOptions = {{
    {.name = "progress",
     .value = "MODE",
     .help = "how progress is shown on standard error",
     .choices = kProgressChoices},
    {.name = "quiet", .letter = 'q', .help = "no progress at all, like --progress none"},
}};

/// Access to a registry for verbs with one side.
inline constexpr std::array<OptionSpec, 4> kRegistryOptions = {{
    {.name = "authfile",
     .value = "FILE",
     .help = "registry credentials in the format of auth.json"},
    {.name = "cert-dir",
     .value = "DIR",
     .help = "directory with *.crt, *.cert and *.key files for TLS"},
    {.name = "creds", .value = "USER[:PASSWORD]", .help = "credentials for the registry"},
    {.name = "tls-verify",
     .help = "require https and verify certificates; false also allows plain http",
     .optional_value = true},
}};

/// Access to registries for verbs with a source and a destination.
inline constexpr std::array<OptionSpec, 7> kTwoSidedRegistryOptions = {{
    {.name = "authfile",
     .value = "FILE",
     .help = "registry credentials in the format of auth.json"},
    {.name = "src-cert-dir", .value = "DIR", .help = "directory with TLS files for the source"},
    {.name = "dest-cert-dir",
     .value = "DIR",
     .help = "directory with TLS files for the destination"},
    {.name = "src-creds",
     .value = "USER[:PASSWORD]",
     .help = "credentials for the source registry"},
    {.name = "dest-creds",
     .value = "USER[:PASSWORD]",
     .help = "credentials for the destination registry"},
    {.name = "src-tls-verify",
     .help = "require https and verify certificates for the source",
     .optional_value = true},
    {.name = "dest-tls-verify",
     .help = "require https and verify certificates for the destination",
     .optional_value = true},
}};

/// Where transports that need no registry find things, for verbs with one side.
inline constexpr std::array<OptionSpec, 2> kPlaceOptions = {{
    {.name = "shared-blob-dir",
     .value = "DIR",
     .help = "read the blobs of oci: layouts from this directory"},
    {.name = "daemon-host",
     .value = "HOST",
     .help = "the engine of docker-daemon:, e.g. unix:///var/run/docker.sock, tcp://HOST:PORT"},
}};

/// The same for verbs with a source and a destination.
inline constexpr std::array<OptionSpec, 5> kTwoSidedPlaceOptions = {{
    {.name = "src-shared-blob-dir",
     .value = "DIR",
     .help = "read the blobs of an oci: source from this directory"},
    {.name = "dest-shared-blob-dir",
     .value = "DIR",
     .help = "keep the blobs of an oci: destination in this directory"},
    {.name = "src-daemon-host",
     .value = "HOST",
     .help = "the engine of a docker-daemon: source, e.g. unix:///var/run/docker.sock, "
             "tcp://HOST:PORT"},
    {.name = "dest-daemon-host",
     .value = "HOST",
     .help = "the engine of a docker-daemon: destination"},
    {.name = "append", .help = "add the image to the archive at the destination if there is one"},
}};

inline constexpr std::array<std::string_view, 5> kCopyCompressFormats = {
    "gzip", "zstd", "zstd:chunked", "estargz", "uncompressed"};
inline constexpr std::array<std::string_view, 3> kCompressFormats = {"gzip", "zstd",
                                                                     "uncompressed"};
inline constexpr std::array<std::string_view, 2> kImageFormats = {"oci", "docker"};

}  // namespace lade::tools
