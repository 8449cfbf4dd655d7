/// Skopeo's flags, group by group, in the words of its --help.
#pragma once
#include <array>

#include "tools/compat/go_flags.h"

namespace lade::tools::compat {

using Kind = FlagSpec::Kind;

inline constexpr std::string_view kNoSigning = "signing images is not implemented yet";
inline constexpr std::string_view kNoTlsDetails = "TLS details are not implemented";

inline constexpr std::array<FlagSpec, 13> kGlobalFlags = {{
    {.name = "command-timeout",
     .kind = Kind::duration,
     .help = "timeout for the command execution"},
    {.name = "debug", .kind = Kind::boolean, .help = "enable debug output"},
    {.name = "insecure-policy",
     .kind = Kind::boolean,
     .help = "run the tool without any policy check"},
    {.name = "override-arch",
     .value = "ARCH",
     .help = "use ARCH instead of the architecture of the machine for choosing images"},
    {.name = "override-os",
     .value = "OS",
     .help = "use OS instead of the running OS for choosing images"},
    {.name = "override-variant",
     .value = "VARIANT",
     .help = "use VARIANT instead of the running architecture variant for choosing images"},
    {.name = "policy", .help = "Path to a trust policy file"},
    {.name = "registries-conf", .help = "path to the registries.conf file", .hidden = true},
    {.name = "registries.d",
     .value = "DIR",
     .help = "use registry configuration files in DIR (e.g. for container signature storage)"},
    {.name = "require-signed",
     .kind = Kind::boolean,
     .help = "require any pulled image to be signed"},
    {.name = "tls-details",
     .help = "path to a containers-tls-details.yaml file",
     .refusal = kNoTlsDetails},
    {.name = "tmpdir", .help = "directory used to store temporary files"},
    {.name = "user-agent-prefix", .help = "prefix to add to the user agent string"},
}};

inline constexpr std::array<FlagSpec, 2> kRootFlags = {{
    {.name = "tls-verify",
     .kind = Kind::optional_boolean,
     .help = "Require HTTPS and verify certificates when accessing the registry",
     .hidden = true},
    {.name = "version", .letter = 'v', .kind = Kind::boolean, .help = "Version for Skopeo"},
}};

inline constexpr std::array<FlagSpec, 1> kSharedFlags = {{
    {.name = "authfile",
     .help = "path of the registry credentials file. Default is "
             "${XDG_RUNTIME_DIR}/containers/auth.json"},
}};

inline constexpr std::array<FlagSpec, 1> kDeprecatedTlsFlags = {{
    {.name = "tls-verify",
     .kind = Kind::optional_boolean,
     .help = "require HTTPS and verify certificates when accessing the container registry",
     .hidden = true},
}};

inline constexpr std::array<FlagSpec, 7> kDockerFlags = {{
    {.name = "creds",
     .value = "USERNAME[:PASSWORD]",
     .help = "Use USERNAME[:PASSWORD] for accessing the registry"},
    {.name = "username", .help = "Username for accessing the registry"},
    {.name = "password", .help = "Password for accessing the registry"},
    {.name = "registry-token", .help = "Provide a Bearer token for accessing the registry"},
    {.name = "cert-dir",
     .value = "PATH",
     .help =
         "use certificates at PATH (*.crt, *.cert, *.key) to connect to the registry or daemon"},
    {.name = "tls-verify",
     .kind = Kind::optional_boolean,
     .help =
         "require HTTPS and verify certificates when talking to the container registry or daemon"},
    {.name = "no-creds", .kind = Kind::boolean, .help = "Access the registry anonymously"},
}};

inline constexpr std::array<FlagSpec, 2> kImageFlags = {{
    {.name = "shared-blob-dir",
     .value = "DIRECTORY",
     .help = "DIRECTORY to use to share blobs across OCI repositories"},
    {.name = "daemon-host",
     .value = "HOST",
     .help = "use docker daemon host at HOST (docker-daemon: only)"},
}};

inline constexpr std::array<FlagSpec, 9> kSourceDockerFlags = {{
    {.name = "src-authfile",
     .help = "path of the registry credentials file. Default is "
             "${XDG_RUNTIME_DIR}/containers/auth.json"},
    {.name = "src-creds",
     .value = "USERNAME[:PASSWORD]",
     .help = "Use USERNAME[:PASSWORD] for accessing the registry"},
    {.name = "screds",
     .value = "USERNAME[:PASSWORD]",
     .help = "Use USERNAME[:PASSWORD] for accessing the registry",
     .hidden = true},
    {.name = "src-username", .help = "Username for accessing the registry"},
    {.name = "src-password", .help = "Password for accessing the registry"},
    {.name = "src-registry-token", .help = "Provide a Bearer token for accessing the registry"},
    {.name = "src-cert-dir",
     .value = "PATH",
     .help =
         "use certificates at PATH (*.crt, *.cert, *.key) to connect to the registry or daemon"},
    {.name = "src-tls-verify",
     .kind = Kind::optional_boolean,
     .help =
         "require HTTPS and verify certificates when talking to the container registry or daemon"},
    {.name = "src-no-creds", .kind = Kind::boolean, .help = "Access the registry anonymously"},
}};

inline constexpr std::array<FlagSpec, 2> kSourceImageFlags = {{
    {.name = "src-shared-blob-dir",
     .value = "DIRECTORY",
     .help = "DIRECTORY to use to share blobs across OCI repositories"},
    {.name = "src-daemon-host",
     .value = "HOST",
     .help = "use docker daemon host at HOST (docker-daemon: only)"},
}};

inline constexpr std::array<FlagSpec, 9> kDestDockerFlags = {{
    {.name = "dest-authfile",
     .help = "path of the registry credentials file. Default is "
             "${XDG_RUNTIME_DIR}/containers/auth.json"},
    {.name = "dest-creds",
     .value = "USERNAME[:PASSWORD]",
     .help = "Use USERNAME[:PASSWORD] for accessing the registry"},
    {.name = "dcreds",
     .value = "USERNAME[:PASSWORD]",
     .help = "Use USERNAME[:PASSWORD] for accessing the registry",
     .hidden = true},
    {.name = "dest-username", .help = "Username for accessing the registry"},
    {.name = "dest-password", .help = "Password for accessing the registry"},
    {.name = "dest-registry-token", .help = "Provide a Bearer token for accessing the registry"},
    {.name = "dest-cert-dir",
     .value = "PATH",
     .help =
         "use certificates at PATH (*.crt, *.cert, *.key) to connect to the registry or daemon"},
    {.name = "dest-tls-verify",
     .kind = Kind::optional_boolean,
     .help =
         "require HTTPS and verify certificates when talking to the container registry or daemon"},
    {.name = "dest-no-creds", .kind = Kind::boolean, .help = "Access the registry anonymously"},
}};

inline constexpr std::array<FlagSpec, 9> kDestImageFlags = {{
    {.name = "dest-shared-blob-dir",
     .value = "DIRECTORY",
     .help = "DIRECTORY to use to share blobs across OCI repositories"},
    {.name = "dest-daemon-host",
     .value = "HOST",
     .help = "use docker daemon host at HOST (docker-daemon: only)"},
    {.name = "dest-compress",
     .kind = Kind::boolean,
     .help = "Compress tarball image layers when saving to directory using the 'dir' transport. "
             "(default is same compression type as source)"},
    {.name = "dest-compress-format",
     .value = "FORMAT",
     .help = "FORMAT to use for the compression"},
    {.name = "dest-compress-level",
     .kind = Kind::integer,
     .value = "LEVEL",
     .help = "LEVEL to use for the compression"},
    {.name = "dest-decompress",
     .kind = Kind::boolean,
     .help = "Decompress tarball image layers when saving to directory using the 'dir' transport. "
             "(default is same compression type as source)"},
    {.name = "dest-force-compress-format",
     .kind = Kind::boolean,
     .help = "Force exclusive use of the compression algorithm set in --dest-compress-format"},
    {.name = "dest-oci-accept-uncompressed-layers",
     .kind = Kind::boolean,
     .help = "Allow uncompressed image layers when saving to an OCI image using the 'oci' "
             "transport. (default is to compress things that aren't compressed)"},
    {.name = "dest-precompute-digests",
     .kind = Kind::boolean,
     .help = "Precompute digests to prevent uploading layers already on the registry using the "
             "'docker' transport."},
}};

inline constexpr std::array<FlagSpec, 2> kRetryFlags = {{
    {.name = "retry-times", .kind = Kind::integer, .help = "the number of times to possibly retry"},
    {.name = "retry-delay",
     .kind = Kind::duration,
     .help = "Fixed delay between retries. If not set, retry uses an exponential backoff delay."},
}};

inline constexpr std::array<FlagSpec, 9> kSharedCopyFlags = {{
    {.name = "format",
     .letter = 'f',
     .help = "MANIFEST TYPE (oci, v2s1, or v2s2) to use in the destination (default is manifest "
             "type of source, with fallbacks)"},
    {.name = "preserve-digests",
     .kind = Kind::boolean,
     .help = "Preserve digests of images and lists"},
    {.name = "remove-list-signatures",
     .kind = Kind::boolean,
     .help = "Do not copy signatures of lists from source"},
    {.name = "remove-signatures",
     .kind = Kind::boolean,
     .help = "Do not copy signatures from source"},
    {.name = "sign-by",
     .value = "FINGERPRINT",
     .help = "Sign the image using a GPG key with the specified FINGERPRINT",
     .refusal = kNoSigning},
    {.name = "sign-by-sigstore",
     .value = "PATH",
     .help = "Sign the image using a sigstore parameter file at PATH",
     .refusal = kNoSigning},
    {.name = "sign-by-sigstore-private-key",
     .value = "PATH",
     .help = "Sign the image using a sigstore private key at PATH",
     .refusal = kNoSigning},
    {.name = "sign-by-sq-fingerprint",
     .value = "FINGERPRINT",
     .help = "Sign the image using a Sequoia-PGP key with the specified FINGERPRINT",
     .refusal = kNoSigning},
    {.name = "sign-passphrase-file",
     .value = "PATH",
     .help = "Read a passphrase for signing an image from PATH",
     .refusal = kNoSigning},
}};

inline constexpr std::array<FlagSpec, 11> kCopyFlags = {{
    {.name = "additional-tag",
     .kind = Kind::texts,
     .help = "additional tags (supports docker-archive)"},
    {.name = "all",
     .letter = 'a',
     .kind = Kind::boolean,
     .help = "Copy all images if SOURCE-IMAGE is a list"},
    {.name = "decryption-key",
     .kind = Kind::texts,
     .help = "*Experimental* key needed to decrypt the image"},
    {.name = "digestfile", .help = "Write the digest of the pushed image to the specified file"},
    {.name = "encrypt-layer",
     .kind = Kind::integers,
     .help = "*Experimental* the 0-indexed layer indices, with support for negative indexing (e.g. "
             "0 is the first layer, -1 is the last layer)"},
    {.name = "encryption-key",
     .kind = Kind::texts,
     .help = "*Experimental* key with the encryption protocol to use needed to encrypt the image "
             "(e.g. jwe:/path/to/key.pem)"},
    {.name = "image-parallel-copies",
     .kind = Kind::integer,
     .help = "Maximum number of image layers to be copied (pulled/pushed) simultaneously. Not "
             "setting this field will fall back to containers/image defaults."},
    {.name = "multi-arch",
     .help =
         "How to handle multi-architecture images (system, all, index-only, or a list of OS/ARCH)"},
    {.name = "quiet",
     .letter = 'q',
     .kind = Kind::boolean,
     .help = "Suppress output information when copying images"},
    {.name = "sign-identity",
     .help = "Identity of signed image, must be a fully specified docker reference. Defaults to "
             "the target docker reference.",
     .refusal = kNoSigning},
    {.name = "strip-removed-platforms",
     .kind = Kind::boolean,
     .help = "Remove the platforms that are not copied from the list"},
}};

inline constexpr std::array<FlagSpec, 5> kInspectFlags = {{
    {.name = "config", .kind = Kind::boolean, .help = "output configuration"},
    {.name = "format", .letter = 'f', .help = "Format the output to a Go template"},
    {.name = "manifest-digest",
     .value = "ALGORITHM",
     .help = "*Experimental* ALGORITHM of the digest of the manifest (sha256 or sha512)"},
    {.name = "no-tags",
     .letter = 'n',
     .kind = Kind::boolean,
     .help = "Do not list the available tags from the repository in the output"},
    {.name = "raw", .kind = Kind::boolean, .help = "output raw manifest or configuration"},
}};

inline constexpr std::array<FlagSpec, 1> kProxyFlags = {{
    {.name = "sockfd",
     .kind = Kind::integer,
     .help = "Serve on opened socket pair (default 0/stdin)"},
}};

inline constexpr std::array<FlagSpec, 8> kSyncFlags = {{
    {.name = "all",
     .letter = 'a',
     .kind = Kind::boolean,
     .help = "Copy all images if SOURCE-IMAGE is a list"},
    {.name = "append-suffix", .help = "String to append to DESTINATION tags"},
    {.name = "dest", .letter = 'd', .help = "DESTINATION transport type"},
    {.name = "digestfile",
     .help = "Write the digests and Image References of the resulting images to the specified "
             "file, separated by newlines"},
    {.name = "dry-run", .kind = Kind::boolean, .help = "Run without actually copying data"},
    {.name = "keep-going",
     .kind = Kind::boolean,
     .help = "Do not abort the sync if any image copy fails"},
    {.name = "scoped",
     .kind = Kind::boolean,
     .help = "Images at DESTINATION are prefix using the full source image path as scope"},
    {.name = "src", .letter = 's', .help = "SOURCE transport type"},
}};

inline constexpr std::array<FlagSpec, 9> kLoginFlags = {{
    {.name = "authfile",
     .help = "path of the authentication file. Use REGISTRY_AUTH_FILE environment variable to "
             "override"},
    {.name = "cert-dir", .help = "use certificates at the specified path to access the registry"},
    {.name = "compat-auth-file",
     .help = "path of a Docker-compatible config file to update instead"},
    {.name = "get-login",
     .kind = Kind::boolean,
     .help = "Return the current login user for the registry"},
    {.name = "password", .letter = 'p', .help = "Password for registry"},
    {.name = "password-stdin", .kind = Kind::boolean, .help = "Take the password from stdin"},
    {.name = "tls-verify",
     .kind = Kind::optional_boolean,
     .help = "require HTTPS and verify certificates when accessing the registry"},
    {.name = "username", .letter = 'u', .help = "Username for registry"},
    {.name = "verbose",
     .letter = 'v',
     .kind = Kind::boolean,
     .help = "Write more detailed information to stdout"},
}};

inline constexpr std::array<FlagSpec, 4> kLogoutFlags = {{
    {.name = "all",
     .letter = 'a',
     .kind = Kind::boolean,
     .help = "Remove the cached credentials for all registries in the auth file"},
    {.name = "authfile",
     .help = "path of the authentication file. Use REGISTRY_AUTH_FILE environment variable to "
             "override"},
    {.name = "compat-auth-file",
     .help = "path of a Docker-compatible config file to update instead"},
    {.name = "tls-verify",
     .kind = Kind::optional_boolean,
     .help = "require HTTPS and verify certificates when accessing the registry"},
}};

}  // namespace lade::tools::compat
