// lade sync --src TRANSPORT --dest TRANSPORT SOURCE DESTINATION
#include "tools/copy/sync.h"

#include <array>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/name/platform.h"

#include "tools/common/groups.h"
#include "tools/common/images.h"
#include "tools/common/output_file.h"
#include "tools/common/policy.h"
#include "tools/common/prepare_http.h"
#include "tools/common/progress.h"
#include "tools/common/progress_state.h"
#include "tools/common/signals.h"
#include "tools/copy/name_list.h"
#include "tools/copy/verbs.h"

namespace lade::tools {
namespace {

constexpr std::array<std::string_view, 4> kSources = {"docker", "dir", "oci", "yaml"};
constexpr std::array<std::string_view, 3> kTargets = {"docker", "dir", "oci"};
constexpr std::array<OptionSpec, 16> kSyncOptions = {{
    {.name = "src",
     .letter = 's',
     .value = "TRANSPORT",
     .help = "what SOURCE is",
     .choices = kSources},
    {.name = "dest",
     .letter = 'd',
     .value = "TRANSPORT",
     .help = "what DESTINATION is",
     .choices = kTargets},
    {.name = "all", .letter = 'a', .help = "copy indexes with everything that they list"},
    {.name = "platform",
     .value = "OS/ARCH[/VARIANT]",
     .help = "the image of an index to copy, if not this machine's"},
    {.name = "referrers", .help = "also copy what refers to the images: signatures, SBOMs"},
    {.name = "scoped", .help = "name images at the destination by their whole source name"},
    {.name = "append-suffix", .value = "TEXT", .help = "what to put behind destination tags"},
    {.name = "filter",
     .value = "REGEX",
     .help = "of a repository, only tags that match the whole expression",
     .repeats = true},
    {.name = "exclude",
     .value = "REGEX",
     .help = "of a repository, no tags that match the whole expression",
     .repeats = true},
    {.name = "semver",
     .value = "RANGE",
     .help = "of a repository, only versions in the range",
     .repeats = true},
    {.name = "format",
     .letter = 'f',
     .value = "FORMAT",
     .help = "convert manifests to this format",
     .choices = kImageFormats},
    {.name = "preserve-digests", .help = "fail where a copy cannot have the source's digest"},
    {.name = "digestfile",
     .value = "FILE",
     .help = "write 'DIGEST TRANSPORT:NAME' of every image at the destination to this file"},
    {.name = "keep-going", .help = "go on with the other images after a failure"},
    {.name = "dry-run", .help = "print what would be copied"},
    {.name = "jobs", .letter = 'j', .value = "N", .help = "images copied at once (default 8)"},
}};
constexpr std::array<std::span<const OptionSpec>, 3> kGroups = {
    kSyncOptions, kTwoSidedRegistryOptions, kProgressOptions};
constexpr std::array<std::string_view, 8> kExamples = {
    "Mirror a repository, all platforms",
    "lade sync --all --src docker --dest docker registry.example/app mirror.example/team",
    "The releases of version 2 only",
    "lade sync --all --src docker --dest docker --semver ^2 registry.example/app mirror.example",
    "Carry images to a registry without a network",
    "lade sync --src docker --dest dir --scoped registry.example/app /media/usb",
    "What a file says",
    "lade sync --all --keep-going --src yaml --dest docker mirror.yaml mirror.example",
};
// Blobs of one image at once: there are as many images again.
constexpr unsigned kBlobJobs = 3;

SyncSource source_of(const Arguments& arguments) {
  const auto transport = arguments.value("src");
  if (!transport) throw UsageError("option --src must say what SOURCE is");
  SyncSource source{
      .transport = *transport, .name = arguments.positional()[0], .filter = read_filter(arguments)};
  // They come with the images that they are about.
  source.filter.omit_digest_tags = arguments.flag("referrers");
  if (source.transport != "docker") {
    for (const char* option : {"filter", "exclude", "semver"}) {
      if (arguments.flag(option)) throw UsageError(cat("--", option, " goes with --src docker"));
    }
  }
  return source;
}

SyncTarget target_of(const Arguments& arguments) {
  const auto transport = arguments.value("dest");
  if (!transport) throw UsageError("option --dest must say what DESTINATION is");
  return {.transport = *transport,
          .name = arguments.positional()[1],
          .scoped = arguments.flag("scoped"),
          .append_suffix = arguments.value_or("append-suffix", "")};
}

SyncOptions options_of(const Arguments& arguments) {
  SyncOptions options;
  options.copy.jobs = kBlobJobs;
  if (arguments.flag("all")) options.copy.what = CopyOptions::What::all;
  if (const auto platform = arguments.value("platform")) {
    if (arguments.flag("all")) throw UsageError("--all and --platform contradict each other");
    options.copy.platform = parse_platform(*platform);
  }
  if (arguments.flag("referrers")) options.copy.attached = CopyOptions::Attached::where_possible;
  if (const auto format = arguments.value("format")) {
    options.copy.family = *format == "oci" ? oci::Family::oci : oci::Family::docker;
  }
  options.copy.preserve_digests = arguments.flag("preserve-digests");
  if (arguments.flag("keep-going")) options.on_failure = SyncOptions::OnFailure::go_on;
  if (arguments.flag("dry-run")) options.mode = SyncOptions::Mode::dry_run;
  if (const auto jobs = arguments.number("jobs", 1, 256)) {
    options.jobs = static_cast<unsigned>(*jobs);
  }
  return options;
}

/// Events of images as events of progress.
void show(const SyncEvent& event, ProgressObserver& progress) {
  using From = SyncEvent::Kind;
  using To = ProgressEvent::Kind;
  ProgressEvent shown{.kind = To::finished, .item = event.from.str()};
  shown.label = cat(printable(event.from.str()), " to ", printable(event.to.str()));
  switch (event.kind) {
    case From::begins:
      shown.kind = To::started;
      break;
    case From::copied:
      shown.note = cat("copied ", human_size(event.bytes_moved));
      break;
    case From::present:
      shown.note = "exists";
      break;
    case From::would_copy:
      shown.note = "would be copied";
      break;
    case From::failed:
      shown.kind = To::failed;
      shown.note = event.error->what();
      break;
  }
  progress.notify(shown);
}

std::string summary(const SyncResult& result, const SyncSet& set, bool dry_run) {
  std::string text = cat(dry_run ? "would copy " : "copied ", result.copied, " images of ",
                         set.repositories.size(), " sources");
  if (!dry_run) text += cat(" (", human_size(result.bytes_moved), ")");
  text += cat(", ", result.present, " existed");
  const std::size_t failed = result.failed + set.failures.size();
  return failed == 0 ? text : cat(text, ", ", failed, " failed");
}

/// Sources that cannot be listed end the work, or are reported, as failures of images do.
void handle_listing(const SyncSet& set, const SyncOptions& options, ProgressObserver& progress) {
  for (const std::string& warning : set.warnings) {
    progress.notify({.kind = ProgressEvent::Kind::warning, .note = warning});
  }
  for (const SyncListingFailure& failure : set.failures) {
    const Error error = failure.error.in(printable(failure.name));
    if (options.on_failure == SyncOptions::OnFailure::stop) throw error;
    progress.notify({.kind = ProgressEvent::Kind::failed,
                     .item = failure.name,
                     .label = printable(failure.name),
                     .note = failure.error.what()});
  }
}

void write_digests(const Arguments& arguments, const SyncResult& result) {
  const auto file = arguments.value("digestfile");
  if (!file || arguments.flag("dry-run")) return;
  std::string text;
  for (const std::string& line : result.digest_lines) text += cat(line, "\n");
  with_context([&] { return cat("write digest file ", quoted(*file)); },
               [&] { write_text_file(*file, text); });
}

int run_sync(const Arguments& arguments, const Environment& environment) {
  const SyncSource source = source_of(arguments);
  const SyncTarget target = target_of(arguments);
  SyncOptions options = options_of(arguments);
  if (const auto file = arguments.value("digestfile")) check_writable(*file);
  const StopOnSignal stop;
  // A file names registries.
  const std::string from_transport = source.transport == "yaml" ? "docker" : source.transport;
  const std::jthread preparing =
      prepare_for({cat(from_transport, "://"), cat(target.transport, "://")});
  const auto progress = make_progress(arguments, environment);
  const auto from =
      make_session(arguments, environment, Side::source, stop.token(), progress.get());
  const auto to =
      make_session(arguments, environment, Side::destination, stop.token(), progress.get());
  options.notify = [&](const SyncEvent& event) { show(event, *progress); };
  options.check = [policy = system_policy(environment)](const ImageName& name) {
    check_policy(policy, name, printable(name.str()));
  };
  const SyncSet set =
      with_context([&] { return cat("sync ", printable(source.name)); },
                   [&] { return find_sync_images(source, *from, options.jobs, stop.token()); });
  handle_listing(set, options, *progress);
  SyncResult result;
  const auto end = [&] {
    write_digests(arguments, result);
    progress->notify({.kind = ProgressEvent::Kind::summary,
                      .done = result.bytes_moved,
                      .note = summary(result, set, arguments.flag("dry-run"))});
  };
  // How many bytes there are is known of each image when its turn comes.
  progress->notify({.kind = ProgressEvent::Kind::started,
                    .item = std::string(kWholeOperation),
                    .label = "sync"});
  try {
    result = sync_images(set, target, *to, options, *progress, stop.token(), &result);
  } catch (const std::exception&) {
    end();  // with what was done before
    throw;
  }
  end();
  return result.failed + set.failures.size() == 0 ? 0 : 1;
}

}  // namespace

const VerbSpec kSyncVerb = {
    .name = "sync",
    .synopsis = "--src TRANSPORT --dest TRANSPORT SOURCE DESTINATION",
    .summary = "mirror many images to a registry, directories or a layout",
    .description =
        "Copies every image of SOURCE to DESTINATION, many at once. SOURCE is a repository (all "
        "its tags, or one), a tree of directories (dir), a layout (oci) or a YAML file that names "
        "registries, repositories and tags as skopeo-sync(1) has it. At the destination an image "
        "is called by the last part of its name, or by the whole of it with --scoped: "
        "registry.example/team/app:1 becomes DESTINATION/app:1 or "
        "DESTINATION/registry.example/team/app:1.\n\n"
        "An image that is there already, by its digest, costs one request to each side. Bytes are "
        "not changed, unless --format or the destination needs another format. Nothing is deleted.",
    .options = kGroups,
    .examples = kExamples,
    .min_positional = 2,
    .max_positional = 2,
    .run = run_sync,
    .group = "Copy",
};

}  // namespace lade::tools
