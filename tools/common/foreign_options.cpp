#include "tools/common/foreign_options.h"

#include <algorithm>
#include <array>

namespace lade::tools {
namespace {

struct ForeignOption {
  std::string_view name;
  std::string_view reason;
};

constexpr std::array<ForeignOption, 58> kOfBuild = {{
    {"all-platforms", "name the platforms with --platform"},
    {"arch", "use --platform OS/ARCH[/VARIANT]"},
    {"builder", "this program is the builder: there is none to choose"},
    {"cgroupns", "each RUN has its own control group namespace"},
    {"compat-volumes", "what RUN writes into a VOLUME is kept, as in BuildKit"},
    {"compress", "contexts are read where they are, nothing is sent"},
    {"cw", "images of confidential workloads are not made"},
    {"debug", "use --progress plain, --explain and --debug-shell"},
    {"decryption-key", "encrypted base images cannot be read"},
    {"disable-compression", "use --compression-format uncompressed"},
    {"disable-content-trust", "there is no content trust to disable; policy.json counts"},
    {"force-compression", "use -o type=...,force-compression=true"},
    {"force-rm", "steps leave no containers to remove"},
    {"from", "give the base as a build argument, or as --build-context NAME=docker-image://IMAGE"},
    {"group-add", "USER in the Containerfile decides the groups of RUN"},
    {"hooks-dir", "steps run no hooks"},
    {"http-proxy", "give the proxy's variables with --build-arg"},
    {"ipc", "each RUN has its own IPC namespace"},
    {"layer-label", "there are no intermediate images to label"},
    {"layers",
     "every step is a layer and is cached; --squash makes one of them, --no-cache uses none"},
    {"log-rusage", "timings are in --progress json"},
    {"manifest", "several platforms make an index under the names of -t"},
    {"mount", "write --mount at the RUN that needs it"},
    {"no-cache-filter", "use --no-cache for all steps, or --cache-ttl"},
    {"no-hostname", "RUN has a host name of its own"},
    {"no-hosts", "RUN has an /etc/hosts of its own, which no layer keeps"},
    {"os", "use --platform OS/ARCH[/VARIANT]"},
    {"override-arch", "use --platform OS/ARCH[/VARIANT]"},
    {"override-os", "use --platform OS/ARCH[/VARIANT]"},
    {"pid", "each RUN has its own PID namespace"},
    {"policy", "source policies are not implemented; policy.json counts for base images"},
    {"pull-always", "use --pull"},
    {"pull-never", "a base image is looked for in the local store first"},
    {"retry", "requests to registries are repeated as they need it"},
    {"retry-delay", "requests to registries are repeated as they need it"},
    {"rm", "steps leave no containers to remove"},
    {"rusage-logfile", "timings are in --progress json"},
    {"save-stages", "stages are kept as cached steps: --target names one"},
    {"sbom-image-output", "--sbom attaches the packages as an attestation"},
    {"sbom-image-purl-output", "--sbom attaches the packages as an attestation"},
    {"sbom-merge-strategy", "there is no scanner: --sbom reads the package databases"},
    {"sbom-output", "use --sbom with -o type=local, which has sbom.spdx.json"},
    {"sbom-purl-output", "use --sbom with -o type=local, which has sbom.spdx.json"},
    {"sbom-scanner-command", "there is no scanner: --sbom reads the package databases"},
    {"sbom-scanner-image", "there is no scanner: --sbom reads the package databases"},
    {"sign-by", "images are not signed yet"},
    {"signature-policy", "policy.json is found where the ecosystem has it"},
    {"skip-unused-stages", "stages that the target does not need are never built"},
    {"source-policy-file",
     "source policies are not implemented; policy.json counts for base images"},
    {"stage-labels", "stages are kept as cached steps, not as images"},
    {"stdin", "RUN reads from the null device"},
    {"userns", "a user without privileges gets a user namespace by itself"},
    {"userns-gid-map", "a user without privileges gets a user namespace by itself"},
    {"userns-gid-map-group", "a user without privileges gets a user namespace by itself"},
    {"userns-uid-map", "a user without privileges gets a user namespace by itself"},
    {"userns-uid-map-user", "a user without privileges gets a user namespace by itself"},
    {"uts", "each RUN has its own UTS namespace"},
    {"variant", "use --platform OS/ARCH[/VARIANT]"},
}};

}  // namespace

std::optional<std::string_view> why_build_lacks(std::string_view name) {
  const auto* const found =
      std::find_if(kOfBuild.begin(), kOfBuild.end(),
                   [&](const ForeignOption& option) { return option.name == name; });
  if (found == kOfBuild.end()) return std::nullopt;
  return found->reason;
}

}  // namespace lade::tools
