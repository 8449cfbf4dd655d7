#include "tools/compat/skopeo_table.h"

#include <algorithm>

#include "tools/compat/skopeo_flags.h"

namespace lade::tools::compat {
namespace {

std::vector<Command> image_commands() {
  return {
      {.name = "copy",
       .use = "[command options] SOURCE-IMAGE DESTINATION-IMAGE",
       .summary = "Copy an IMAGE-NAME from one location to another",
       .description = "Container \"IMAGE-NAME\" uses a \"transport\":\"details\" format.\n\n"
                      "Supported transports:\n%\n\n"
                      "See skopeo(1) section \"IMAGE NAMES\" for the expected format",
       .example = "skopeo copy docker://quay.io/skopeo/stable:latest "
                  "docker://registry.example.com/skopeo:latest",
       .flags = {kSharedFlags, kDeprecatedTlsFlags, kSourceDockerFlags, kSourceImageFlags,
                 kDestDockerFlags, kDestImageFlags, kRetryFlags, kSharedCopyFlags, kCopyFlags},
       .run = skopeo_copy},
      {.name = "delete",
       .use = "[command options] IMAGE-NAME",
       .summary = "Delete image IMAGE-NAME",
       .description = "Delete an \"IMAGE_NAME\" from a transport\nSupported transports:\n%\n"
                      "See skopeo(1) section \"IMAGE NAMES\" for the expected format",
       .example = "skopeo delete docker://registry.example.com/example/pause:latest",
       .flags = {kSharedFlags, kDockerFlags, kImageFlags, kRetryFlags},
       .run = skopeo_delete},
      {.name = "inspect",
       .use = "[command options] IMAGE-NAME",
       .summary = "Inspect image IMAGE-NAME",
       .description = "Return low-level information about \"IMAGE-NAME\" in a registry/transport\n"
                      "Supported transports:\n%\n\n"
                      "See skopeo(1) section \"IMAGE NAMES\" for the expected format",
       .example = "skopeo inspect docker://registry.fedoraproject.org/fedora\n"
                  "skopeo inspect --config docker://docker.io/alpine\n"
                  "skopeo inspect --format \"Name: {{.Name}} Digest: {{.Digest}}\" "
                  "docker://registry.access.redhat.com/ubi8",
       .flags = {kSharedFlags, kDockerFlags, kImageFlags, kRetryFlags, kInspectFlags},
       .run = skopeo_inspect},
      {.name = "list-tags",
       .use = "[command options] SOURCE-IMAGE",
       .summary = "List tags in the transport/repository specified by the SOURCE-IMAGE",
       .description =
           "Return the list of tags from the transport/repository \"SOURCE-IMAGE\"\n\n"
           "Supported transports:\ndocker docker-archive\n\n"
           "See skopeo-list-tags(1) section \"REPOSITORY NAMES\" for the expected format",
       .example = "skopeo list-tags docker://docker.io/fedora",
       .flags = {kSharedFlags, kDockerFlags, kRetryFlags},
       .run = skopeo_list_tags},
      {.name = "manifest-digest",
       .use = "MANIFEST-FILE",
       .summary = "Compute a manifest digest of a file",
       .description = "Compute a manifest digest of a file",
       .example = "skopeo manifest-digest manifest.json",
       .flags = {},
       .run = skopeo_manifest_digest},
      {.name = "sync",
       .use = "[command options] --src TRANSPORT --dest TRANSPORT SOURCE DESTINATION",
       .summary = "Synchronize one or more images from one location to another",
       .description = "Copy all the images from a SOURCE to a DESTINATION.\n\n"
                      "Allowed SOURCE transports (specified with --src): docker, dir, yaml.\n"
                      "Allowed DESTINATION transports (specified with --dest): docker, dir.\n\n"
                      "See skopeo-sync(1) for details.",
       .example = "skopeo sync --src docker --dest dir --scoped "
                  "registry.example.com/busybox /media/usb",
       .flags = {kSharedFlags, kDeprecatedTlsFlags, kSourceDockerFlags, kDestDockerFlags,
                 kRetryFlags, kSharedCopyFlags, kSyncFlags},
       .run = skopeo_sync},
  };
}

std::vector<Command> other_commands() {
  return {
      {.name = "login",
       .use = "[command options] REGISTRY",
       .summary = "Login to a container registry",
       .description = "Login to a container registry on a specified server.",
       .example = "skopeo login quay.io",
       .flags = {kLoginFlags},
       .run = skopeo_login},
      {.name = "logout",
       .use = "[command options] REGISTRY",
       .summary = "Logout of a container registry",
       .description = "Logout of a container registry on a specified server.",
       .example = "skopeo logout quay.io",
       .flags = {kLogoutFlags},
       .run = skopeo_logout},
      {.name = "completion",
       .use = "[command]",
       .summary = "Generate the autocompletion script for the specified shell",
       .description = "Generate the autocompletion script for skopeo for the specified shell: "
                      "bash, fish or zsh.",
       .example = "source <(skopeo completion bash)",
       .run = skopeo_completion,
       .hidden = true},
      {.name = "experimental-image-proxy",
       .use = "[command options] IMAGE",
       .summary = "Interactive proxy for fetching container images (EXPERIMENTAL)",
       .description =
           "Run skopeo as a proxy, supporting requests over a socket to fetch manifests and blobs.",
       .example = "skopeo experimental-image-proxy --sockfd 3",
       .flags = {kSharedFlags, kDockerFlags, kImageFlags, kProxyFlags},
       .run = skopeo_image_proxy,
       .hidden = true},
      {.name = "generate-sigstore-key", .hidden = true},
      {.name = "layers",
       .use = "[command options] IMAGE-NAME [LAYER...]",
       .summary = "Get layers of IMAGE-NAME",
       .description = "Get layers of IMAGE-NAME",
       .flags = {kSharedFlags, kDockerFlags, kImageFlags, kRetryFlags},
       .run = skopeo_layers,
       .hidden = true},
      {.name = "standalone-sign", .hidden = true},
      {.name = "standalone-verify", .hidden = true},
      {.name = "untrusted-signature-dump-without-verification", .hidden = true},
  };
}

}  // namespace

std::vector<Command> commands() {
  std::vector<Command> all = image_commands();
  for (Command& command : other_commands()) all.push_back(std::move(command));
  std::sort(all.begin(), all.end(),
            [](const Command& a, const Command& b) { return a.name < b.name; });
  return all;
}

const Command* find_command(const std::vector<Command>& all, std::string_view name) {
  const auto found = std::find_if(all.begin(), all.end(),
                                  [&](const Command& command) { return command.name == name; });
  return found == all.end() ? nullptr : &*found;
}

}  // namespace lade::tools::compat
