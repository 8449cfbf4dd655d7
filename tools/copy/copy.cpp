// lade copy SOURCE DESTINATION
#include "libimage/copy/copy.h"

#include <array>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/name/platform.h"

#include "tools/common/compression.h"
#include "tools/common/groups.h"
#include "tools/common/images.h"
#include "tools/common/progress.h"
#include "tools/common/signals.h"
#include "tools/common/terminal.h"
#include "tools/copy/verbs.h"

namespace lade::tools {
namespace {

constexpr std::array<std::string_view, 3> kMultiArch = {"system", "all", "index-only"};

constexpr std::array<OptionSpec, 11> kCopyOptions = {{
    {.name = "all", .letter = 'a', .help = "copy an index with everything that it lists"},
    {.name = "multi-arch",
     .value = "WHAT",
     .help = "what to copy of an index",
     .choices = kMultiArch},
    {.name = "platform",
     .value = "OS/ARCH[/VARIANT]",
     .help = "the image of an index to copy, if not this machine's"},
    {.name = "format",
     .letter = 'f',
     .value = "FORMAT",
     .help = "convert manifests to this format",
     .choices = kImageFormats},
    {.name = "dest-compress-format",
     .value = "FORMAT",
     .help = "compress layers with this codec where they are not already",
     .choices = kCompressFormats},
    {.name = "dest-compress-level",
     .value = "LEVEL",
     .help = "1 to 9 for gzip, 1 to 22 for zstd, or 'fastest' (gzip, larger, bytes depend on the "
             "CPU family)"},
    {.name = "dest-force-compress-format",
     .help = "compress again even if the codec is right already"},
    {.name = "preserve-digests", .help = "fail if the copy cannot have the source's digests"},
    {.name = "digestfile", .value = "FILE", .help = "write the digest of the copy to this file"},
    {.name = "additional-tag",
     .value = "TAG",
     .help = "one more tag at the destination",
     .repeats = true},
    {.name = "jobs", .letter = 'j', .value = "N", .help = "blobs copied at once (default 6)"},
}};

constexpr std::array<std::span<const OptionSpec>, 3> kGroups = {
    kCopyOptions, kTwoSidedRegistryOptions, kProgressOptions};

constexpr std::array<std::string_view, 10> kExamples = {
    "Fetch an image into a layout directory",
    "lade copy docker://registry.example/app:1.0 oci:app:1.0",
    "Mirror a whole multi-platform image",
    "lade copy --all docker://registry.example/app:1.0 docker://mirror.example/app:1.0",
    "Import an archive of docker save, with zstd layers",
    "lade copy --dest-compress-format zstd docker-archive:app.tar oci:app:1.0",
    "Export an image of the local store for docker load",
    "lade copy app docker-archive:app.tar:app:latest",
    "Push to a registry on this machine without TLS",
    "lade copy --dest-tls-verify=false oci:app:1.0 docker://localhost:5000/app:1.0",
};

CopyOptions copy_options(const Arguments& arguments) {
  CopyOptions options;
  const std::string multi_arch = arguments.value_or("multi-arch", "");
  if (arguments.flag("all") && !multi_arch.empty() && multi_arch != "all") {
    throw UsageError("--all and --multi-arch cannot be used together");
  }
  if (arguments.flag("all") || multi_arch == "all") options.what = CopyOptions::What::all;
  if (multi_arch == "index-only") options.what = CopyOptions::What::index_only;
  if (const auto platform = arguments.value("platform")) {
    if (options.what != CopyOptions::What::one_platform) {
      throw UsageError(
          "--platform chooses one image, so it cannot be used with --all or index-only");
    }
    options.platform = parse_platform(*platform);
  }
  if (const auto format = arguments.value("format")) {
    options.family = *format == "docker" ? oci::Family::docker : oci::Family::oci;
  }
  const Compression compression =
      read_compression(arguments, "dest-compress-format", "dest-compress-level");
  options.layer_codec = compression.codec;
  options.compress = compression.options;
  options.force_recompress = arguments.flag("dest-force-compress-format");
  if (options.force_recompress && options.layer_codec.empty()) {
    throw UsageError("--dest-force-compress-format needs --dest-compress-format");
  }
  options.preserve_digests = arguments.flag("preserve-digests");
  if (const auto jobs = arguments.number("jobs", 1, 64))
    options.jobs = static_cast<unsigned>(*jobs);
  return options;
}

std::string summary(const CopyResult& result) {
  std::string text =
      cat("copied ", human_size(result.bytes_moved), " in ", result.blobs_moved, " blobs");
  if (result.blobs_skipped != 0) text += cat(", ", result.blobs_skipped, " existed");
  if (result.blobs_mounted != 0) text += cat(", ", result.blobs_mounted, " mounted");
  return cat(text, ", ", result.root.digest.str());
}

int run_copy_verb(const Arguments& arguments, const Environment& environment) {
  const std::string& from = arguments.positional()[0];
  const std::string& to = arguments.positional()[1];
  const CopyOptions options = copy_options(arguments);
  const StopOnSignal stop;
  const std::unique_ptr<ProgressObserver> progress = make_progress(arguments, environment);
  const auto source_session =
      make_session(arguments, environment, Side::source, stop.token(), progress.get());
  const auto destination_session =
      make_session(arguments, environment, Side::destination, stop.token(), progress.get());
  Stores stores(environment);
  with_context([&] { return cat("copy ", printable(from), " to ", printable(to)); },
               [&] {
                 OpenedImage source = open_image(from, *source_session, stores);
                 OpenedDestination destination = open_destination(to, *destination_session, stores);
                 const CopyPlan plan =
                     plan_copy(*source.reader, source.root, destination.writer->accepts(), options);
                 std::vector<Tag> tags;
                 if (destination.tag) tags.push_back(*destination.tag);
                 for (const std::string& tag : arguments.values("additional-tag"))
                   tags.push_back({tag});
                 if (destination.digest && plan.root.digest != *destination.digest) {
                   throw Error(Errc::digest_mismatch,
                               cat("the destination names ", destination.digest->str(),
                                   ", the image is ", plan.root.digest.str()));
                 }
                 const CopyResult result = run_copy(plan, *source.reader, *destination.writer, tags,
                                                    options, *progress, stop.token());
                 destination.writer->finish();
                 if (const auto file = arguments.value("digestfile")) {
                   with_context([&] { return cat("write digest file ", quoted(*file)); },
                                [&] { write_text_file(*file, result.root.digest.str()); });
                 }
                 progress->notify({.kind = ProgressEvent::Kind::summary, .note = summary(result)});
               });
  return 0;
}

}  // namespace

const VerbSpec kCopyVerb = {
    .name = "copy",
    .synopsis = "SOURCE DESTINATION",
    .summary = "copy an image between registries, layouts, archives and directories",
    .description =
        "Copies an image from SOURCE to DESTINATION. A name is TRANSPORT:REST: "
        "docker://HOST/REPOSITORY[:TAG|@DIGEST], "
        "oci:DIR[:REF], oci-archive:FILE[:REF], docker-archive:FILE[:NAME:TAG], dir:DIR; a name "
        "without a transport is an "
        "image of the local store.\n\n"
        "Of an index the image for this machine's platform is copied, unless --platform names "
        "another or --all asks for "
        "everything. Blobs that the destination has are not moved; between repositories of one "
        "registry they are mounted. "
        "Layers without compression are compressed with gzip for registries and layouts; other "
        "layers stay as they are unless "
        "--dest-compress-format asks for a codec. Every byte is checked against its digest and "
        "size.\n\n"
        "After a failure or an interrupt nothing half-written is left.",
    .options = kGroups,
    .examples = kExamples,
    .min_positional = 2,
    .max_positional = 2,
    .run = run_copy_verb,
    .group = "Copy",
};

}  // namespace lade::tools
