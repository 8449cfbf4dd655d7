// skopeo sync
#include <algorithm>
#include <array>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/template/go_text.h"

#include "tools/common/output_file.h"
#include "tools/compat/go_log.h"
#include "tools/compat/skopeo_commands.h"
#include "tools/compat/skopeo_copy_options.h"
#include "tools/copy/sync.h"

namespace lade::tools::compat {
namespace {

using templates::go_quote;

void check_transports(const std::string& from, const std::string& to) {
  constexpr std::array<std::string_view, 4> kSources = {"docker", "dir", "yaml", "oci"};
  constexpr std::array<std::string_view, 3> kTargets = {"docker", "dir", "oci"};
  if (from.empty()) throw Fatal("A source transport must be specified");
  if (std::find(kSources.begin(), kSources.end(), from) == kSources.end())
    throw Fatal(cat(go_quote(from), " is not a valid source transport"));
  if (to.empty()) throw Fatal("A destination transport must be specified");
  if (std::find(kTargets.begin(), kTargets.end(), to) == kTargets.end())
    throw Fatal(cat(go_quote(to), " is not a valid destination transport"));
  if (from == "dir" && to == "dir")
    throw Fatal("sync from 'dir' to 'dir' not implemented, consider using rsync instead");
}

SyncOptions options_of(const Flags& flags) {
  SyncOptions options;
  options.copy.family = format_of(flags);
  options.copy.platform = wanted_platform(flags);
  if (flags.boolean("all")) options.copy.what = CopyOptions::What::all;
  options.copy.preserve_digests = flags.boolean("preserve-digests");
  options.copy.signatures = signatures_of(flags);
  if (flags.boolean("dry-run")) options.mode = SyncOptions::Mode::dry_run;
  if (flags.boolean("keep-going")) options.on_failure = SyncOptions::OnFailure::go_on;
  options.existing_directories = SyncOptions::ExistingDirectories::refuse;
  options.plain_layers = SyncOptions::PlainLayers::compress;
  return options;
}

/// The lines of the log for one image.
void show(const SyncEvent& event) {
  const LogFields fields = {{"from", shown_name(event.from)}, {"to", shown_name(event.to)}};
  const std::string position = cat(event.position + 1, "/", event.count);
  switch (event.kind) {
    case SyncEvent::Kind::would_copy:
      return log(Level::info, cat("Would have copied image ref ", position), fields);
    case SyncEvent::Kind::begins:
      return log(Level::info, cat("Copying image ref ", position), fields);
    case SyncEvent::Kind::present:
      return log(Level::info, "Skipping: image already present at destination", fields);
    case SyncEvent::Kind::failed:
      return log(Level::error, cat("Error copying ref ", go_quote(shown_name(event.from)), ": ",
                                   event.error->what()));
    default:
      return;
  }
}

void write_digests(const Flags& flags, const SyncResult& result) {
  const std::string file = flags.text("digestfile");
  if (file.empty() || flags.boolean("dry-run")) return;
  std::string text;
  for (const std::string& line : result.digest_lines) text += cat(line, "\n");
  write_text_file(file, text);
}

class Sync {
 public:
  explicit Sync(const Invocation& invocation)
      : invocation_(invocation), flags_(invocation.flags), policy_(load_policy(invocation)) {}

  void run() {
    const auto from = open_session(invocation_, "src-", &warnings_);
    const auto to = open_session(invocation_, "dest-", &warnings_);
    SyncOptions options = options_of(flags_);
    options.notify = show;
    options.check = [this](const ImageName& image) { check(image); };
    const SyncSet set = find(*from, options.jobs);
    const SyncTarget target{.transport = flags_.text("dest"),
                            .name = flags_.arguments()[1],
                            .scoped = flags_.boolean("scoped"),
                            .append_suffix = flags_.text("append-suffix")};
    SyncResult result;
    try {
      result = sync_images(set, target, *to, options, warnings_, invocation_.stop, &result);
    } catch (const std::exception&) {
      write_digests(flags_, result);
      throw;
    }
    write_digests(flags_, result);
    const std::size_t images = result.copied + result.present;
    log(Level::info, cat(flags_.boolean("dry-run") ? "Would have synced " : "Synced ", images,
                         " images from ", set.repositories.size(), " sources"));
    if (result.failed != 0) {
      throw Fatal("Sync failed due to previous reported error(s) for one or more images");
    }
  }

 private:
  /// In the form that the engine goes on from.
  void check(const ImageName& image) const {
    try {
      check_source(invocation_, policy_, image);
    } catch (const Fatal& e) {
      throw Error(Errc::denied, e.what());
    }
  }

  SyncSet find(Session& session, unsigned jobs) const {
    const std::string& source = flags_.arguments()[0];
    SyncSet set;
    try {
      set = find_sync_images({.transport = flags_.text("src"), .name = source}, session, jobs,
                             invocation_.stop);
    } catch (const Error& e) {
      if (e.code() == Errc::not_found && flags_.text("src") == "dir")
        throw Fatal(cat("No images to sync found in ", go_quote(source)));
      throw;
    }
    for (const std::string& warning : set.warnings) log(Level::warning, warning);
    // Repositories of a file that cannot be listed are passed over, as skopeo has it.
    for (const SyncListingFailure& failure : set.failures) {
      log(Level::error, "Error processing repo, skipping", {{"repo", failure.name}});
      log(Level::error, failure.error.what());
    }
    return set;
  }

  const Invocation& invocation_;
  const Flags& flags_;
  Policy policy_;
  WarningLog warnings_;
};

}  // namespace

void skopeo_sync(const Invocation& invocation) {
  const Flags& flags = invocation.flags;
  if (flags.arguments().size() != 2)
    throw Fatal("Exactly two arguments expected", 1, Fatal::Help::shown);
  warn_of_deprecated_tls(flags, "--src-tls-verify, --dest-tls-verify");
  check_transports(flags.text("src"), flags.text("dest"));
  Sync sync(invocation);
  with_retries(invocation, [&] { sync.run(); });
}

}  // namespace lade::tools::compat
