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

/// Access to a registry for verbs with one side. Read by make_session().
inline constexpr std::array<OptionSpec, 9> kRegistryOptions = {{
    {.name = "authfile",
     .value = "FILE",
     .help = "registry credentials in the format of auth.json"},
    {.name = "cert-dir",
     .value = "DIR",
     .help = "directory with *.crt, *.cert and *.key files for TLS with the registry"},
    {.name = "creds", .value = "USER[:PASSWORD]", .help = "credentials for the registry"},
    {.name = "username", .value = "USER", .help = "user name for the registry"},
    {.name = "password", .value = "PASSWORD", .help = "password for the registry"},
    {.name = "registry-token",
     .value = "TOKEN",
     .help = "bearer token for the registry, sent as it is"},
    {.name = "no-creds", .help = "no credentials for the registry, whatever the files say"},
    {.name = "tls-verify",
     .help = "require https and verify certificates of the registry; false also allows plain http",
     .optional_value = true},
    {.name = "registries-conf",
     .value = "FILE",
     .help = "read this registries.conf instead of the ones that are installed"},
}};

/// Access to registries for verbs with a source and a destination.
inline constexpr std::array<OptionSpec, 18> kTwoSidedRegistryOptions = {{
    {.name = "authfile",
     .value = "FILE",
     .help = "registry credentials in the format of auth.json"},
    {.name = "src-authfile",
     .value = "FILE",
     .help =
         "credentials of the source registry in the format of auth.json, instead of --authfile"},
    {.name = "src-cert-dir",
     .value = "DIR",
     .help = "directory with *.crt, *.cert and *.key files for TLS with the source registry"},
    {.name = "src-creds",
     .value = "USER[:PASSWORD]",
     .help = "credentials for the source registry"},
    {.name = "src-username", .value = "USER", .help = "user name for the source registry"},
    {.name = "src-password", .value = "PASSWORD", .help = "password for the source registry"},
    {.name = "src-registry-token",
     .value = "TOKEN",
     .help = "bearer token for the source registry, sent as it is"},
    {.name = "src-no-creds",
     .help = "no credentials for the source registry, whatever the files say"},
    {.name = "src-tls-verify",
     .help = "require https and verify certificates of the source registry; false also allows "
             "plain http",
     .optional_value = true},
    {.name = "dest-authfile",
     .value = "FILE",
     .help = "credentials of the destination registry in the format of auth.json, instead of "
             "--authfile"},
    {.name = "dest-cert-dir",
     .value = "DIR",
     .help = "directory with *.crt, *.cert and *.key files for TLS with the destination registry"},
    {.name = "dest-creds",
     .value = "USER[:PASSWORD]",
     .help = "credentials for the destination registry"},
    {.name = "dest-username", .value = "USER", .help = "user name for the destination registry"},
    {.name = "dest-password", .value = "PASSWORD", .help = "password for the destination registry"},
    {.name = "dest-registry-token",
     .value = "TOKEN",
     .help = "bearer token for the destination registry, sent as it is"},
    {.name = "dest-no-creds",
     .help = "no credentials for the destination registry, whatever the files say"},
    {.name = "dest-tls-verify",
     .help = "require https and verify certificates of the destination registry; false also allows "
             "plain http",
     .optional_value = true},
    {.name = "registries-conf",
     .value = "FILE",
     .help = "read this registries.conf instead of the ones that are installed"},
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
