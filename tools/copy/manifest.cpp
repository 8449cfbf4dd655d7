// lade manifest get, lade manifest put
#include <array>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/image/select.h"
#include "libimage/name/platform.h"

#include "tools/common/groups.h"
#include "tools/common/output_file.h"
#include "tools/common/terminal.h"
#include "tools/copy/one_side.h"
#include "tools/copy/verbs.h"

namespace lade::tools {
namespace {

constexpr std::array<OptionSpec, 2> kGetOptions = {{
    {.name = "platform",
     .value = "OS/ARCH[/VARIANT]",
     .help = "of an index, the manifest of the image for this platform"},
    {.name = "output",
     .letter = 'o',
     .value = "FILE",
     .help = "write to this file instead of standard output"},
}};
constexpr std::array<OptionSpec, 1> kPutOptions = {{
    {.name = "media-type",
     .value = "TYPE",
     .help = "what the document is, if it does not say so itself"},
}};
constexpr std::array<std::span<const OptionSpec>, 2> kGetGroups = {kGetOptions, kRegistryOptions};
constexpr std::array<std::span<const OptionSpec>, 2> kPutGroups = {kPutOptions, kRegistryOptions};
constexpr std::array<std::string_view, 2> kGetExamples = {
    "The exact bytes, e.g. to change and put them back",
    "lade manifest get docker://registry.example/app:1.0 > manifest.json"};
constexpr std::array<std::string_view, 4> kPutExamples = {
    "Store a manifest under a tag",
    "lade manifest put docker://registry.example/app:1.1 manifest.json",
    "Annotate an image on the way",
    "lade manifest get oci:app:1.0 | jq -c '.annotations.owner = \"me\"' | lade manifest put "
    "oci:app:1.1 -",
};

int run_get(const Arguments& arguments, const Environment& environment) {
  const std::string& name = arguments.positional().front();
  std::optional<oci::Platform> platform;
  if (const auto text = arguments.value("platform")) platform = parse_platform(*text);
  OneSide side(arguments, environment);
  with_context([&] { return cat("manifest get ", printable(name)); },
               [&] {
                 OpenedImage image = open_image(name, *side.session, side.stores);
                 const oci::Document document =
                     platform ? image::select(*image.reader, image.root, *platform)
                              : image.reader->document(image.root);
                 write_text_file(arguments.value_or("output", "-"), document.raw);
               });
  return 0;
}

/// The document, of a type that is known to be right; throws if it is none.
oci::Document read_document(const Arguments& arguments) {
  const std::string& path = arguments.positional()[1];
  return with_context([&] { return path == "-" ? std::string("standard input") : quoted(path); },
                      [&] {
                        std::string raw = read_input(path, oci::kMaxManifestBytes);
                        const std::string claimed = oci::sniff_media_type(raw);
                        const std::string type = arguments.value_or("media-type", claimed);
                        if (type.empty()) {
                          throw Error(Errc::invalid_content,
                                      "it is no manifest or index; name its type by --media-type");
                        }
                        if (!oci::is_media_type(type)) {
                          throw UsageError(cat(quoted(type), " is no media type"));
                        }
                        oci::Descriptor descriptor = oci::describe(type, raw);
                        return oci::parse_document(std::move(descriptor), std::move(raw));
                      });
}

/// A registry checks that by itself; a layout does not.
void check_children(OpenedDestination& destination, const oci::Document& document) {
  if (destination.writer->accepts().documents_imply_blobs) return;
  for (const oci::Descriptor& child : oci::successors(document)) {
    if (destination.writer->contains(child)) continue;
    throw Error(Errc::not_found, cat("the document lists ", child.digest.str(), " (",
                                     printable(child.media_type), "), which is not there"));
  }
}

int run_put(const Arguments& arguments, const Environment& environment) {
  const std::string& name = arguments.positional().front();
  const oci::Document document = read_document(arguments);
  const oci::Descriptor& descriptor = document.descriptor;
  OneSide side(arguments, environment);
  with_context([&] { return cat("manifest put ", printable(name)); },
               [&] {
                 OpenedDestination destination = open_destination(name, *side.session, side.stores);
                 if (destination.digest && *destination.digest != descriptor.digest) {
                   throw Error(Errc::digest_mismatch,
                               cat("the document's digest is ", descriptor.digest.str()));
                 }
                 check_children(destination, document);
                 destination.writer->put_manifest(descriptor, document.raw);
                 if (destination.tag) destination.writer->tag(*destination.tag, descriptor);
                 destination.writer->finish();
                 print(cat(descriptor.digest.str(), "\n"));
               });
  return 0;
}

}  // namespace

const VerbSpec kManifestGetVerb = {
    .name = "manifest get",
    .synopsis = "NAME",
    .summary = "write the exact bytes of a manifest or index",
    .description =
        "Writes the bytes of the manifest or index that NAME points to, exactly as they are "
        "stored, verified.",
    .options = kGetGroups,
    .examples = kGetExamples,
    .min_positional = 1,
    .max_positional = 1,
    .run = run_get,
    .group = "Inspect",
};

const VerbSpec kManifestPutVerb = {
    .name = "manifest put",
    .synopsis = "NAME FILE",
    .summary = "store a manifest or index",
    .description =
        "Stores the document in FILE ('-' for standard input) as NAME, its bytes unchanged, and "
        "prints its digest. What it lists (config, layers, images) must be there already. If NAME "
        "holds a digest, it must be the document's.",
    .options = kPutGroups,
    .examples = kPutExamples,
    .min_positional = 2,
    .max_positional = 2,
    .run = run_put,
    .group = "Copy",
};

}  // namespace lade::tools
