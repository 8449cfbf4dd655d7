// lade copy SOURCE DESTINATION...
#include "libimage/copy/copy.h"

#include <algorithm>
#include <array>
#include <map>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/transports/registry.h"

#include "tools/common/compression.h"
#include "tools/common/groups.h"
#include "tools/common/images.h"
#include "tools/common/policy.h"
#include "tools/common/prepare_http.h"
#include "tools/common/progress.h"
#include "tools/common/progress_state.h"
#include "tools/common/signals.h"
#include "tools/common/terminal.h"
#include "tools/copy/copy_options.h"
#include "tools/copy/copy_plan.h"
#include "tools/copy/verbs.h"

namespace lade::tools {
namespace {

constexpr std::size_t kMostDestinations = 32;

constexpr std::array<std::string_view, 3> kFormats = {"oci", "docker", "v2s2"};

constexpr std::array<OptionSpec, 19> kCopyOptions = {{
    {.name = "all", .letter = 'a', .help = "copy an index with everything that it lists"},
    {.name = "platform",
     .value = "LIST",
     .help = "the image of an index to copy, if not this machine's; several (linux/amd64,"
             "linux/arm64) give an index of these",
     .repeats = true},
    {.name = "sparse",
     .help = "with --platform: leave the index as it is, with its digest, though only these images "
             "are copied"},
    {.name = "index-only", .help = "copy the index alone, whose images are there already"},
    {.name = "multi-arch",
     .value = "WHAT",
     .help = "system (one platform), all, index-only, or a list of platforms for a sparse index"},
    {.name = "referrers",
     .help = "also copy what refers to the images and cosign's tags; the default with --all",
     .optional_value = true},
    {.name = "no-referrers", .help = "leave what refers to the images behind"},
    {.name = "format",
     .letter = 'f',
     .value = "FORMAT",
     .help = "convert manifests to this format",
     .choices = kFormats},
    {.name = "dest-compress-format",
     .value = "FORMAT",
     .help = "compress layers with this codec where they are not already",
     .choices = kCopyCompressFormats},
    {.name = "dest-compress-level",
     .value = "LEVEL",
     .help = "1 to 9 for gzip and estargz, 1 to 22 for zstd and zstd:chunked, or 'fastest' (gzip, "
             "larger, bytes depend on the "
             "CPU family)"},
    {.name = "dest-force-compress-format",
     .help = "compress again even if the codec is right already"},
    {.name = "dest-decompress", .help = "store layers without compression"},
    {.name = "remove-signatures",
     .help = "do not copy the signatures that the source keeps beside the image (dir:)"},
    {.name = "preserve-digests", .help = "fail if the copy cannot have the source's digests"},
    {.name = "digestfile", .value = "FILE", .help = "write the digest of the copy to this file"},
    {.name = "additional-tag",
     .value = "TAG",
     .help = "one more name at each destination",
     .repeats = true},
    {.name = "dry-run", .help = "print what would be moved, and move nothing"},
    {.name = "json", .help = "with --dry-run: print it as JSON"},
    {.name = "jobs", .letter = 'j', .value = "N", .help = "blobs copied at once (default 6)"},
}};

constexpr std::array<std::span<const OptionSpec>, 4> kGroups = {
    kCopyOptions, kTwoSidedRegistryOptions, kTwoSidedPlaceOptions, kProgressOptions};

constexpr std::array<std::string_view, 16> kExamples = {
    "Fetch an image into a layout directory",
    "lade copy docker://registry.example/app:1.0 oci:app:1.0",
    "Mirror a whole multi-platform image with its signatures",
    "lade copy --all docker://registry.example/app:1.0 docker://mirror.example/app:1.0",
    "Mirror two of its platforms to two places, read once",
    "lade copy --platform linux/amd64,linux/arm64 docker://registry.example/app:1.0 "
    "docker://mirror.example/app:1.0 oci:app:1.0",
    "See first what would be moved",
    "lade copy --dry-run --all docker://registry.example/app:1.0 docker://mirror.example/app:1.0",
    "Import an archive of docker save, with zstd layers",
    "lade copy --dest-compress-format zstd docker-archive:app.tar oci:app:1.0",
    "Export an image of the local store for docker load",
    "lade copy app docker-archive:app.tar:app:latest",
    "Take exactly this image, and give it a tag",
    "lade copy docker://registry.example/app@sha256:DIGEST "
    "docker://mirror.example/app:1.0@sha256:DIGEST",
    "Push to a registry on this machine without TLS",
    "lade copy --dest-tls-verify=false oci:app:1.0 docker://localhost:5000/app:1.0",
};

/// One destination on its way.
struct Destination {
  std::string name;  ///< as typed
  OpenedDestination opened;
  CopyPlan plan{.root = {.digest = oci::describe("", "").digest}};
  std::vector<Tag> tags = {};
  std::optional<CopyResult> result = {};
  std::optional<Error> failure = {};
};

std::string summary(const CopyPlan& plan, const CopyResult& result) {
  std::string text =
      cat("copied ", human_size(result.bytes_moved), " in ", counted(result.blobs_moved, "blob"));
  if (result.blobs_skipped != 0) {
    text += cat(", ", result.blobs_skipped, " existed (", human_size(result.bytes_skipped), ")");
  }
  if (result.blobs_mounted != 0) {
    text += cat(", ", result.blobs_mounted, " mounted (", human_size(result.bytes_mounted), ")");
  }
  if (!plan.referrers.empty()) text += cat(", ", counted(plan.referrers.size(), "referrer"));
  if (!plan.tags.empty()) text += cat(", ", counted(plan.tags.size(), "signature tag"));
  return cat(text, ", ", result.root.digest.str());
}

class CopyRun {
 public:
  CopyRun(const Arguments& arguments, const Environment& environment)
      : arguments_(arguments),
        environment_(environment),
        options_(copy_options(arguments)),
        stores_(environment),
        progress_(make_progress(arguments, environment)),
        source_session_(
            make_session(arguments, environment, Side::source, stop_.token(), progress_.get())),
        destination_session_(make_session(arguments, environment, Side::destination, stop_.token(),
                                          progress_.get())) {
    const std::vector<std::string>& names = arguments.positional();
    for (std::size_t i = 1; i < names.size(); ++i) {
      if (std::find(names.begin() + 1, names.begin() + static_cast<std::ptrdiff_t>(i), names[i]) !=
          names.begin() + static_cast<std::ptrdiff_t>(i)) {
        throw UsageError(cat("destination ", quoted(names[i]), " is given twice"));
      }
      destinations_.push_back({.name = names[i], .opened = {}});
    }
    if (arguments.flag("json") && !arguments.flag("dry-run")) {
      throw UsageError("--json needs --dry-run");
    }
  }

  void run() {
    const std::string& from = arguments_.positional().front();
    with_context([&] { return heading(from); },
                 [&] {
                   if (const auto file = arguments_.value("digestfile")) {
                     with_context([&] { return cat("write digest file ", quoted(*file)); },
                                  [&] { check_writable(*file); });
                   }
                   enforce_policy(from, environment_);
                   ask_registries_ahead();
                   source_ = open_image(from, *source_session_, stores_, Reading::surely);
                   plan_all();
                   if (arguments_.flag("dry-run")) {
                     print_plan(from);
                   } else {
                     copy_all();
                   }
                   report_failures();
                 });
  }

 private:
  std::string heading(const std::string& from) const {
    if (destinations_.size() != 1) return cat("copy ", printable(from));
    return cat("copy ", printable(from), " to ", printable(destinations_.front().name));
  }

  /// Where there are several destinations, what fails at one does not stop the others.
  template <typename Body>
  void attempt(Destination& destination, const Body& body) const {
    if (destination.failure) return;
    try {
      body();
    } catch (const Error& e) {
      if (destinations_.size() == 1) throw;
      destination.failure = e;
    }
  }

  /// Registries are asked what is there while the source is opened.
  void ask_registries_ahead() {
    for (Destination& destination : destinations_) {
      if (!destination.name.starts_with("docker://")) continue;
      try {
        destination.opened = open_destination(destination.name, *destination_session_, stores_);
        ask_ahead(*destination.opened.writer);
      } catch (const Error&) {  // said when it is opened again, if the source can be
        destination.opened = {};
      }
    }
  }

  void plan_all() {
    CopyPlanner planner(*source_->reader, source_->root, options_);
    for (Destination& destination : destinations_) {
      attempt(destination, [&] {
        if (destination.opened.writer == nullptr) {
          destination.opened = open_destination(destination.name, *destination_session_, stores_);
        }
        Writer::Accepts accepts = destination.opened.writer->accepts();
        // What no name reaches is pruned from the local store, which is no mirror.
        if (!destination.opened.owned) accepts.referrers = false;
        destination.plan = planner.plan(accepts);
        if (destination.opened.tag) destination.tags.push_back(*destination.opened.tag);
        for (const std::string& tag : arguments_.values("additional-tag")) {
          if (tag.empty()) throw Error(Errc::invalid_argument, "an additional tag is empty");
          if (!accepts.names) {
            throw Error(Errc::unsupported, "the destination holds one image, without tags");
          }
          destination.tags.push_back({tag});
        }
        check_digest(destination);
      });
      if (destination.failure) continue;
      for (const std::string& warning : destination.plan.warnings) {
        progress_->notify({.kind = ProgressEvent::Kind::warning, .note = warning});
      }
    }
  }

  static void check_digest(const Destination& destination) {
    const std::optional<Digest>& wanted = destination.opened.digest;
    if (!wanted) return;
    if (destination.plan.rewrites_documents) {
      throw Error(Errc::invalid_argument,
                  cat("the destination names ", wanted->str(),
                      ", but the copy needs other layers or another format, so another digest"));
    }
    if (destination.plan.root.digest != *wanted) {
      throw Error(Errc::digest_mismatch,
                  cat("the destination names ", wanted->str(), ", the image is ",
                      destination.plan.root.digest.str()));
    }
  }

  void print_plan(const std::string& from) {
    std::vector<DestinationForecast> forecasts;
    for (Destination& destination : destinations_) {
      attempt(destination, [&] {
        std::vector<Tag> tags = destination.tags;
        for (const PlannedTag& tag : destination.plan.tags) tags.push_back(tag.tag);
        forecasts.push_back(
            {.name = printable(destination.name),
             .plan = &destination.plan,
             .forecast = forecast_copy(destination.plan, *source_->reader,
                                       *destination.opened.writer, options_, stop_.token()),
             .tags = std::move(tags)});
      });
    }
    if (arguments_.flag("json")) {
      print(plan_json(printable(from), forecasts));
      return;
    }
    for (const DestinationForecast& forecast : forecasts) print(plan_text(forecast));
  }

  /// How many bytes there are in all, before the first of them is moved.
  void tell_of_whole(const std::vector<CopyTarget>& targets) {
    std::map<Digest, std::uint64_t> sizes;
    for (const CopyTarget& target : targets) {
      for (const PlannedBlob& blob : target.plan->blobs) {
        if (blob.action == PlannedBlob::Action::rewrite) continue;
        sizes.emplace(blob.source.digest, blob.source.size);
      }
    }
    std::uint64_t total = 0;
    for (const auto& [digest, size] : sizes) total += size;
    progress_->notify({.kind = ProgressEvent::Kind::started,
                       .item = std::string(kWholeOperation),
                       .label = "copy",
                       .total = total});
  }

  void copy_all() {
    std::vector<CopyTarget> targets;
    std::vector<Destination*> copied;
    for (Destination& destination : destinations_) {
      if (destination.failure) continue;
      copied.push_back(&destination);
      targets.push_back({.plan = &destination.plan,
                         .destination = destination.opened.writer,
                         .tags = destination.tags});
    }
    std::vector<CopyOutcome> outcomes;
    if (!targets.empty()) {
      tell_of_whole(targets);
      outcomes = run_copies(targets, *source_->reader, options_, *progress_, stop_.token());
    }
    for (std::size_t i = 0; i < copied.size(); ++i) {
      attempt(*copied[i], [&] {
        if (outcomes[i].failure) throw Error(*outcomes[i].failure);
        copied[i]->opened.writer->finish();
        copied[i]->result = outcomes[i].result;
      });
    }
    write_digests();
    for (const Destination* destination : copied) {
      if (!destination->result) continue;
      const std::string text = summary(destination->plan, *destination->result);
      progress_->notify({.kind = ProgressEvent::Kind::summary,
                         .done = destination->result->bytes_moved,
                         .note = destinations_.size() == 1
                                     ? text
                                     : cat(printable(destination->name), ": ", text)});
    }
  }

  /// The digest alone for one destination, as skopeo writes it; else a line for each.
  void write_digests() const {
    const auto file = arguments_.value("digestfile");
    if (!file) return;
    std::string text;
    for (const Destination& destination : destinations_) {
      if (!destination.result) continue;
      text += destination.result->root.digest.str();
      if (destinations_.size() > 1) text += cat(" ", destination.name, "\n");
    }
    with_context([&] { return cat("write digest file ", quoted(*file)); },
                 [&] { write_text_file(*file, text); });
  }

  void report_failures() const {
    std::string text;
    std::size_t failed = 0;
    const Error* first = nullptr;
    for (const Destination& destination : destinations_) {
      if (!destination.failure) continue;
      ++failed;
      if (first == nullptr) first = &*destination.failure;
      text += cat(text.empty() ? "" : "; ", "to ", printable(destination.name), ": ",
                  destination.failure->what());
    }
    if (first == nullptr) return;
    throw Error(first->code(),
                cat(failed, " of ", destinations_.size(), " destinations failed: ", text));
  }

  const Arguments& arguments_;
  const Environment& environment_;
  CopyOptions options_;
  StopOnSignal stop_;
  std::jthread preparing_ = prepare_for(arguments_.positional());
  Stores stores_;
  std::unique_ptr<ProgressObserver> progress_;
  std::unique_ptr<Session> source_session_;
  std::unique_ptr<Session> destination_session_;
  std::optional<OpenedImage> source_;
  std::vector<Destination> destinations_;
};

int run_copy_verb(const Arguments& arguments, const Environment& environment) {
  CopyRun(arguments, environment).run();
  return 0;
}

}  // namespace

const VerbSpec kCopyVerb = {
    .name = "copy",
    .synopsis = "SOURCE DESTINATION...",
    .summary = "copy an image between registries, layouts, archives and directories",
    .description =
        "Copies an image from SOURCE to each DESTINATION; what several of them need is read once, "
        "and "
        "what fails at one does not stop the others. A name is TRANSPORT:REST: "
        "docker://HOST/REPOSITORY[:TAG|@DIGEST], "
        "oci:DIR[:REF], oci-archive:FILE[:REF], docker-archive:FILE[:NAME:TAG], dir:DIR, "
        "docker-daemon:NAME:TAG, containers-storage:NAME, and to read from "
        "tarball:FILE[:FILE...]; a name "
        "without a transport is an "
        "image of the local store. Archives may be compressed, come from standard input and go to "
        "standard output ('-'); one that exists gets a further image with --append, else an "
        "oci-archive is replaced and a docker-archive refused.\n\n"
        "Of an index the image for this machine's platform is copied, unless --platform names "
        "others or --all asks for "
        "everything. With several platforms the copy is an index that lists these, or with "
        "--sparse "
        "the whole index; attestations go with the image that they are about. With --all, or where "
        "--referrers asks for it, what refers to the images (signatures, SBOMs, other artifacts) "
        "and cosign's tags go along, unless the digests that they are about change; the local "
        "store, "
        "dir: and docker-archive: have no place for them.\n\n"
        "Blobs that the destination has are not moved; between repositories of one "
        "registry they are mounted. "
        "Layers without compression are compressed with gzip for registries and layouts; other "
        "layers stay as they are unless "
        "--dest-compress-format asks for a codec. zstd:chunked and estargz are zstd and gzip with "
        "a "
        "table of contents, by which Podman and containerd fetch single files; estargz changes the "
        "diff IDs in the config. Every byte is checked against its digest and "
        "size.\n\n"
        "Docker's schema 1 manifests are read and become schema 2 or OCI; none are written. After "
        "a "
        "failure or an interrupt nothing half-written is left.",
    .options = kGroups,
    .examples = kExamples,
    .min_positional = 2,
    .max_positional = 1 + kMostDestinations,
    .run = run_copy_verb,
    .group = "Copy",
};

}  // namespace lade::tools
