// lade inspect IMAGE
#include <array>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/image/describe.h"
#include "libimage/image/select.h"
#include "libimage/name/platform.h"
#include "libimage/oci/json_text.h"

#include "tools/common/groups.h"
#include "tools/common/images.h"
#include "tools/common/progress.h"
#include "tools/common/signals.h"
#include "tools/common/terminal.h"
#include "tools/inspect/verbs.h"

namespace lade::tools {
namespace {

constexpr std::array<std::string_view, 2> kFormats = {"text", "json"};
constexpr std::array<OptionSpec, 5> kInspectOptions = {{
    {.name = "raw",
     .help = "print the exact bytes of the manifest or index (of the config, with --config)"},
    {.name = "config", .help = "print the config of the image"},
    {.name = "format",
     .letter = 'f',
     .value = "FORMAT",
     .help = "how to print the tree",
     .choices = kFormats},
    {.name = "platform",
     .value = "OS/ARCH[/VARIANT]",
     .help = "show the image of an index for this platform alone"},
    {.name = "referrers",
     .help = "also list what refers to each image: signatures, SBOMs, artifacts"},
}};
constexpr std::array<std::span<const OptionSpec>, 3> kGroups = {kInspectOptions, kRegistryOptions,
                                                                kPlaceOptions};

constexpr std::array<std::string_view, 8> kExamples = {
    "Show an index with its platforms and layers",
    "lade inspect docker://registry.example/app:1.0",
    "Digest and size of each layer for a script",
    "lade inspect --format json oci:app:1.0",
    "The exact manifest, e.g. to hash it",
    "lade inspect --raw docker://registry.example/app:1.0 | sha256sum",
    "What the arm64 image runs",
    "lade inspect --config --platform linux/arm64 docker://registry.example/app:1.0",
};

/// The root, or the image of the wanted platform below it.
oci::Document wanted_document(const Arguments& arguments, OpenedImage& image, bool needs_image) {
  const auto platform = arguments.value("platform");
  if (!platform && !needs_image) return image.reader->document(image.root);
  return image::select(*image.reader, image.root,
                       platform ? parse_platform(*platform) : host_platform());
}

void print_config(const Arguments& arguments, OpenedImage& image) {
  const oci::Document document = wanted_document(arguments, image, true);
  const auto& manifest = std::get<oci::Manifest>(document.parsed);
  (void)image::read_config(*image.reader, manifest);  // an artifact's config is refused by name
  const auto source = image.reader->open(manifest.config);
  const std::string raw = read_all(*source, oci::kMaxConfigBytes, "config");
  print(arguments.flag("raw") ? raw : cat(oci::pretty_json(raw), "\n"));
}

void print_tree(const Arguments& arguments, const Environment& environment, OpenedImage& image,
                const std::stop_token& stop) {
  const oci::Descriptor root =
      arguments.flag("platform") ? wanted_document(arguments, image, true).descriptor : image.root;
  const image::Description description = image::describe(
      *image.reader, root, {.referrers = arguments.flag("referrers"), .stop = stop});
  if (arguments.value_or("format", "text") == "json") {
    print(cat(oci::pretty_json(image::to_json(description)), "\n"));
    return;
  }
  const bool terminal = is_terminal(Stream::output);
  const image::TextOptions options{.width = terminal ? terminal_width(Stream::output, 80) : 0,
                                   .colour = terminal && environment.variable("NO_COLOR").empty() &&
                                             environment.variable("TERM") != "dumb"};
  print(image::to_text(description, options));
}

int run_inspect(const Arguments& arguments, const Environment& environment) {
  if (arguments.flag("raw") && arguments.flag("format"))
    throw UsageError("--raw prints bytes as they are: it takes no --format");
  if (arguments.flag("config") && arguments.flag("format"))
    throw UsageError("--config prints JSON: it takes no --format");
  const StopOnSignal stop;
  const auto warnings = make_progress(arguments, environment);
  const auto session =
      make_session(arguments, environment, Side::only, stop.token(), warnings.get());
  Stores stores(environment);
  const std::string& name = arguments.positional().front();
  with_context([&] { return cat("inspect ", printable(name)); },
               [&] {
                 OpenedImage image = open_image(name, *session, stores);
                 if (arguments.flag("config")) {
                   print_config(arguments, image);
                 } else if (arguments.flag("raw")) {
                   print(wanted_document(arguments, image, false).raw);
                 } else {
                   print_tree(arguments, environment, image, stop.token());
                 }
               });
  return 0;
}

}  // namespace

const VerbSpec kInspectVerb = {
    .name = "inspect",
    .synopsis = "IMAGE",
    .summary = "show what is inside an image or an index, without pulling it",
    .description =
        "Shows IMAGE as a tree: the index with its platforms, each image with its config and its "
        "layers (size, codec, the line of "
        "history that made it, how many images share it), attestations under the image that they "
        "are about, and totals. Only "
        "manifests and configs are read, never a layer.\n\n"
        "IMAGE is a name as 'lade copy' takes it: TRANSPORT:REST, or a bare name for an image of "
        "the local store.",
    .options = kGroups,
    .examples = kExamples,
    .min_positional = 1,
    .max_positional = 1,
    .run = run_inspect,
    .group = "Inspect",
};

}  // namespace lade::tools
