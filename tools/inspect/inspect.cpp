// lade inspect IMAGE
#include <array>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/copy/copy.h"
#include "libimage/image/describe.h"
#include "libimage/image/select.h"
#include "libimage/name/platform.h"
#include "libimage/oci/json_text.h"

#include "tools/common/groups.h"
#include "tools/common/images.h"
#include "tools/common/progress.h"
#include "tools/common/signals.h"
#include "tools/common/terminal.h"
#include "tools/inspect/overview_format.h"
#include "tools/inspect/verbs.h"

namespace lade::tools {
namespace {

/// Up to so many images are shown in full without --all: more fill screens.
constexpr std::size_t kMostInFull = 6;

constexpr std::array<OptionSpec, 12> kInspectOptions = {{
    {.name = "raw",
     .help = "print the exact bytes of the manifest or index (of the config, with --config)"},
    {.name = "config", .help = "print the config of the image (of every image, with --all)"},
    {.name = "format", .letter = 'f', .value = "FORMAT", .help = kFormatHelp},
    {.name = "platform",
     .value = "OS/ARCH[/VARIANT]",
     .help = "show the image of an index for this platform alone"},
    {.name = "all",
     .letter = 'a',
     .help = "show layers and config of every platform, however many there are"},
    {.name = "referrers",
     .help = "list what refers to each image: signatures, SBOMs, artifacts; on unless false",
     .optional_value = true},
    {.name = "provenance", .help = "read the provenance: builder, source, materials"},
    {.name = "sbom", .help = "read the SBOMs: the packages of each image"},
    {.name = "tags", .help = "list the tags of the repository that point to the same digest"},
    {.name = "check-base", .help = "ask whether the base images moved since"},
    {.name = "against",
     .value = "DESTINATION",
     .help = "tell how many bytes a copy to that place would move"},
    {.name = "ascii", .help = "draw the tree in ASCII"},
}};
constexpr std::array<std::span<const OptionSpec>, 3> kGroups = {kInspectOptions, kRegistryOptions,
                                                                kPlaceOptions};

constexpr std::array<std::string_view, 14> kExamples = {
    "Show an index with its platforms and layers",
    "lade inspect docker://registry.example/app:1.0",
    "Digest and size of each layer for a script",
    "lade inspect --format json oci:app:1.0",
    "The digest for each platform",
    "lade inspect --format '{{range .manifests}}{{.platform}} {{.digest}}\\n{{end}}' "
    "docker://registry.example/app:1.0",
    "The exact manifest, e.g. to hash it",
    "lade inspect --raw docker://registry.example/app:1.0 | sha256sum",
    "What the arm64 image runs",
    "lade inspect --config --platform linux/arm64 docker://registry.example/app:1.0",
    "Must it be rebuilt, and what is in it",
    "lade inspect --check-base --sbom docker://registry.example/app:1.0",
    "What a push would move",
    "lade inspect --against docker://registry.example/app:1.0 app",
};

/// The root, or the image of the wanted platform below it.
oci::Document wanted_document(const Arguments& arguments, OpenedImage& image, bool needs_image) {
  const auto platform = arguments.value("platform");
  if (!platform && !needs_image) return image.reader->document(image.root);
  return image::select(*image.reader, image.root,
                       platform ? parse_platform(*platform) : host_platform());
}

std::string config_text(Reader& reader, const oci::Manifest& manifest) {
  (void)image::read_config(reader, manifest);  // an artifact's config is refused by name
  const auto source = reader.open(manifest.config);
  return read_all(*source, oci::kMaxConfigBytes, "config");
}

void print_config(const Arguments& arguments, OpenedImage& image) {
  const oci::Document document = wanted_document(arguments, image, true);
  const std::string raw = config_text(*image.reader, std::get<oci::Manifest>(document.parsed));
  print(arguments.flag("raw") ? raw : cat(oci::pretty_json(raw), "\n"));
}

/// The configs of all images below `node`, by platform.
void add_configs(const image::Node& node, Reader& reader, std::string& json) {
  if (node.kind == image::Node::Kind::image && node.config_blob) {
    const auto source = reader.open(*node.config_blob);
    const std::string name = node.platform.empty() ? node.descriptor.digest.str() : node.platform;
    json += cat(json.empty() ? "{" : ",", oci::json_string(name), ":",
                read_all(*source, oci::kMaxConfigBytes, "config"));
  }
  for (const image::Node& child : node.children) add_configs(child, reader, json);
}

void print_all_configs(OpenedImage& image, const std::stop_token& stop) {
  const image::Description description = image::describe(*image.reader, image.root, {.stop = stop});
  std::string json;
  add_configs(description.root, *image.reader, json);
  if (json.empty()) throw Error(Errc::not_found, "there is no image in it");
  print(cat(oci::pretty_json(json + "}"), "\n"));
}

/// What a copy of `root` with all that it lists would move.
image::CopyCost cost_of_copy(const oci::Descriptor& root, Reader& reader, const std::string& to,
                             Session& session, Stores& stores, const std::stop_token& stop) {
  OpenedDestination destination = open_destination(to, session, stores);
  const CopyOptions options{.what = CopyOptions::What::all};
  const CopyPlan plan = plan_copy(reader, root, destination.writer->accepts(), options);
  const CopyForecast forecast = forecast_copy(plan, reader, *destination.writer, options, stop);
  image::CopyCost cost{.destination = printable(to),
                       .bytes_to_move = forecast.bytes_to_move,
                       .bytes_to_mount = forecast.bytes_to_mount,
                       .bytes_existing = forecast.bytes_existing};
  for (const CopyForecast::Blob& blob : forecast.blobs) {
    ++(blob.fate == CopyForecast::Fate::exists  ? cost.blobs_existing
       : blob.fate == CopyForecast::Fate::mount ? cost.blobs_to_mount
                                                : cost.blobs_to_move);
  }
  return cost;
}

/// The platform whose image is shown in full where there are many; nullopt: all are.
std::optional<std::string> the_one_in_full(const Arguments& arguments,
                                           const image::Description& description) {
  if (arguments.flag("all") || description.totals.images <= kMostInFull) return std::nullopt;
  const std::string own = oci::to_string(normalised(host_platform()));
  std::string first;
  for (const image::Node& child : description.root.children) {
    if (child.kind != image::Node::Kind::image) continue;
    if (child.platform == own) return own;
    if (first.empty()) first = child.platform;
  }
  return first;
}

image::TextOptions text_options(const Arguments& arguments, const Environment& environment) {
  const bool terminal = is_terminal(Stream::output);
  const std::optional<std::uint64_t> columns = parse_decimal(environment.variable("COLUMNS"));
  return {.width = terminal ? terminal_width(Stream::output, columns ? *columns : 80) : 0,
          .colour = terminal && environment.variable("NO_COLOR").empty() &&
                    environment.variable("TERM") != "dumb",
          .ascii = arguments.flag("ascii")};
}

image::Description described(const Arguments& arguments, OpenedImage& image, Session& session,
                             Stores& stores, const std::stop_token& stop) {
  const oci::Descriptor root =
      arguments.flag("platform") ? wanted_document(arguments, image, true).descriptor : image.root;
  const image::DescribeOptions options{
      .referrers = arguments.tri_state("referrers").value_or(true),
      .provenance = arguments.flag("provenance") || arguments.flag("check-base"),
      .sbom = arguments.flag("sbom"),
      .stop = stop};
  image::Description description = image::describe(*image.reader, root, options);
  description.name = image.name;
  if (arguments.flag("tags")) image::find_tags(description, *image.reader, options);
  if (arguments.flag("check-base")) {
    image::check_bases(
        description,
        [&](const std::string& name) {
          OpenedImage base = open_image(cat("docker://", name), session, stores);
          return image::OpenedBase{.reader = std::move(base.owned), .root = base.root};
        },
        options);
    if (!arguments.flag("provenance")) image::drop_provenance(description);
  }
  if (const auto to = arguments.value("against")) {
    description.against =
        cost_of_copy(description.root.descriptor, *image.reader, *to, session, stores, stop);
  }
  return description;
}

void print_tree(const Arguments& arguments, const Environment& environment, OpenedImage& image,
                Session& session, Stores& stores, const std::stop_token& stop) {
  const std::string format = checked_format(arguments);
  const image::Description description = described(arguments, image, session, stores, stop);
  if (format != "text") {
    print(formatted(image::to_json(description), format));
    return;
  }
  image::TextOptions options = text_options(arguments, environment);
  options.only_full = the_one_in_full(arguments, description);
  print(image::to_text(description, options));
}

void check_options(const Arguments& arguments) {
  if (arguments.flag("raw") && arguments.flag("format"))
    throw UsageError("--raw prints bytes as they are: it takes no --format");
  if (arguments.flag("config") && arguments.flag("format"))
    throw UsageError("--config prints JSON: it takes no --format");
  if (arguments.flag("all") && arguments.flag("raw"))
    throw UsageError("--raw prints one document: it takes no --all");
  if (arguments.flag("all") && arguments.flag("platform"))
    throw UsageError("--all and --platform contradict each other");
  if (!arguments.flag("raw") && !arguments.flag("config")) (void)checked_format(arguments);
  if (!arguments.flag("raw") && !arguments.flag("config")) return;
  for (const std::string_view name :
       {"provenance", "sbom", "tags", "check-base", "against", "referrers", "ascii"}) {
    if (arguments.flag(name) || arguments.value(name)) {
      throw UsageError(
          cat("--", name, " adds to the tree: it means nothing with --raw or --config"));
    }
  }
}

int run_inspect(const Arguments& arguments, const Environment& environment) {
  check_options(arguments);
  const StopOnSignal stop;
  const auto warnings = make_progress(arguments, environment);
  const auto session =
      make_session(arguments, environment, Side::only, stop.token(), warnings.get());
  Stores stores(environment);
  const std::string& name = arguments.positional().front();
  with_context([&] { return cat("inspect ", printable(name)); },
               [&] {
                 OpenedImage image = open_image(name, *session, stores, Reading::surely);
                 if (arguments.flag("config") && arguments.flag("all")) {
                   print_all_configs(image, stop.token());
                 } else if (arguments.flag("config")) {
                   print_config(arguments, image);
                 } else if (arguments.flag("raw")) {
                   print(wanted_document(arguments, image, false).raw);
                 } else {
                   print_tree(arguments, environment, image, *session, stores, stop.token());
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
        "manifests and configs are read, never a layer; --provenance and --sbom read these "
        "attestations too. Of an index of many platforms the image for this machine is shown in "
        "full and the others as a line each, unless --all asks for everything.\n\n"
        "--format json prints what docs/schema/inspect.json describes; a template works on the "
        "same members.\n\n"
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
