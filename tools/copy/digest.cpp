// lade digest NAME
#include <array>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/image/select.h"
#include "libimage/name/platform.h"
#include "libimage/transports/transports.h"

#include "tools/common/groups.h"
#include "tools/common/terminal.h"
#include "tools/copy/one_side.h"
#include "tools/copy/verbs.h"

namespace lade::tools {
namespace {

constexpr std::array<OptionSpec, 2> kDigestOptions = {{
    {.name = "platform",
     .value = "OS/ARCH[/VARIANT]",
     .help = "of an index, the digest of the image for this platform"},
    {.name = "full-ref", .help = "print the whole name with the digest instead of its tag"},
}};
constexpr std::array<std::span<const OptionSpec>, 2> kGroups = {kDigestOptions, kRegistryOptions};
constexpr std::array<std::string_view, 4> kExamples = {
    "What a tag points to now",
    "lade digest docker://registry.example/app:1.0",
    "Pin the arm64 image",
    "lade digest --full-ref --platform linux/arm64 docker://registry.example/app:1.0",
};

/// `name` with `digest` instead of its tag or reference name.
std::string full_reference(const std::string& name, const Digest& digest) {
  if (!has_transport(name)) {
    std::optional<Reference> local = Reference::try_parse(name);
    return cat(local && !local->digest ? name.substr(0, name.rfind(':')) : name, "@", digest.str());
  }
  const ImageName parsed = parse_image_name(name);
  if (parsed.transport == "docker") {
    const Reference reference = Reference::parse(parsed.rest);
    return cat("docker://", reference.registry, "/", reference.repository, "@", digest.str());
  }
  if (parsed.transport == "oci") {
    return cat("oci:", split_path_reference(parsed.rest).path, "@", digest.str());
  }
  throw UsageError(cat("--full-ref makes names of docker:// and oci: images, not of ",
                       quoted(cat(parsed.transport, ":"))));
}

int run_digest(const Arguments& arguments, const Environment& environment) {
  const std::string& name = arguments.positional().front();
  std::optional<oci::Platform> platform;
  if (const auto text = arguments.value("platform")) platform = parse_platform(*text);
  OneSide side(arguments, environment);
  with_context(
      [&] { return cat("digest ", printable(name)); },
      [&] {
        OpenedImage image = open_image(name, *side.session, side.stores);
        const Digest digest =
            platform ? image::select(*image.reader, image.root, *platform).descriptor.digest
                     : image.root.digest;
        print(cat(arguments.flag("full-ref") ? full_reference(name, digest) : digest.str(), "\n"));
      });
  return 0;
}

}  // namespace

const VerbSpec kDigestVerb = {
    .name = "digest",
    .synopsis = "NAME",
    .summary = "print the digest of an image or index",
    .description =
        "Prints the digest that NAME points to: of an index that of the index itself, unless "
        "--platform chooses an image. A registry is asked with one HEAD request, which counts "
        "against no pull limit.",
    .options = kGroups,
    .examples = kExamples,
    .min_positional = 1,
    .max_positional = 1,
    .run = run_digest,
    .group = "Inspect",
};

}  // namespace lade::tools
