// Bringing many images to their places.
#include <filesystem>
#include <map>
#include <mutex>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/copy/foresee.h"
#include "libimage/name/platform.h"
#include "libimage/task/run_graph.h"
#include "libimage/transports/registry.h"
#include "libimage/transports/transports.h"

#include "tools/copy/sync.h"

namespace lade::tools {
namespace {

using Kind = SyncEvent::Kind;

std::string_view last_part(std::string_view name) {
  const std::size_t slash = name.rfind('/');
  return slash == std::string_view::npos ? name : name.substr(slash + 1);
}

std::string_view without_slashes(std::string_view text) {
  while (text.ends_with('/')) text.remove_suffix(1);
  return text;
}

/// The name of an image in its source: "host/repo:tag", a path below the source's directory, a name
/// of a layout.
std::string source_name(const SyncRepository& repository, const ImageName& image) {
  if (image.transport == "dir") {
    std::string_view name = image.rest;
    const std::string_view base = without_slashes(repository.directory);
    if (name.starts_with(base)) name.remove_prefix(base.size());
    while (name.starts_with('/')) name.remove_prefix(1);
    return std::string(name.empty() ? last_part(base) : name);
  }
  if (image.transport == "oci") return split_path_reference(image.rest).reference;
  return image.rest;
}

/// An index of the source may name anything.
void check_path_below(std::string_view name) {
  for (const std::string_view part : split(name, '/')) {
    if (part.empty() || part == "." || part == "..") {
      throw Error(Errc::invalid_argument,
                  cat("the name ", lade::quoted(name), " does not stay in the destination"));
    }
  }
}

/// One image on its way.
struct Work {
  const SyncRepository* repository = nullptr;
  std::size_t position = 0;
  ImageName to;
  std::optional<Digest> arrived = {};
  [[nodiscard]] const ImageName& from() const { return repository->images[position]; }
};

/// Passes on what concerns the user; blobs of many images at once do not.
class WarningsOnly final : public ProgressObserver {
 public:
  explicit WarningsOnly(ProgressObserver& observer) : observer_(observer) {}
  void notify(const ProgressEvent& event) noexcept override {
    if (event.kind == ProgressEvent::Kind::warning) observer_.notify(event);
  }

 private:
  ProgressObserver& observer_;
};

class Syncer {
 public:
  Syncer(Session& session, const SyncOptions& options, ProgressObserver& observer,
         std::stop_token stop)
      : session_(session), options_(options), observer_(observer), stop_(std::move(stop)) {}

  void run(std::vector<Work>& work) {
    std::vector<GraphNode> nodes;
    nodes.reserve(work.size());
    std::map<const SyncRepository*, std::size_t> first;
    for (Work& one : work) {
      GraphNode node{.run = [this, &one](const std::stop_token& stop) { run_one(one, stop); }};
      // The first image of a repository goes alone: the others find what they share with it.
      const auto [at, is_first] = first.emplace(one.repository, nodes.size());
      if (!is_first) node.needs.push_back(at->second);
      nodes.push_back(std::move(node));
    }
    run_graph(nodes, options_.jobs, stop_);
  }

  [[nodiscard]] SyncResult result() {
    const std::scoped_lock lock(mutex_);
    return result_;
  }

 private:
  void run_one(Work& work, const std::stop_token& stop) {
    try {
      with_context(
          [&] {
            return cat("sync ", printable(work.from().str()), " to ", printable(work.to.str()));
          },
          [&] { bring(work, stop); });
    } catch (const Error& e) {
      tell(work, Kind::failed, 0, &e);
      if (options_.on_failure == SyncOptions::OnFailure::stop) throw;
    }
  }

  void bring(Work& work, const std::stop_token& stop) {
    if (options_.check) options_.check(work.from());
    OpenedReader source = open_reader(work.from(), *work.repository->session);
    // The destination first: where it has nothing, the source is asked for the document at once.
    const std::optional<Digest> present = may_be_skipped() ? digest_at(work.to) : std::nullopt;
    const bool copies = options_.mode == SyncOptions::Mode::copy;
    if (!present && copies) read_when_resolved(*source.reader);
    std::optional<oci::Descriptor> root = source.reader->resolve(source.reference);
    if (!root) throw Error(Errc::not_found, "no such image");
    const auto* tag = std::get_if<Tag>(&source.reference);
    CopyOptions options = options_.copy;
    // The list that stands for a referrers API is no image for several platforms.
    if (tag != nullptr && is_digest_tag(tag->value)) options.what = CopyOptions::What::all;
    if (options.what == CopyOptions::What::one_platform) {
      root = narrowed(*source.reader, *std::move(root));
    }
    if (present == root->digest) {
      work.arrived = root->digest;
      tell(work, Kind::present, 0);
      return;
    }
    // Something else is there: perhaps what this image becomes when it is converted.
    if (!copies && !present) {
      tell(work, Kind::would_copy, 0);
      return;
    }
    copy(work, *source.reader, *root, options, stop);
  }

  /// What is attached to an image may be new even if the image is not.
  [[nodiscard]] bool may_be_skipped() const {
    return options_.copy.attached == CopyOptions::Attached::left_behind;
  }

  /// The image for the wanted platform, where the engine would choose it without doubt; else
  /// `root`, for the engine to say what it thinks of it.
  oci::Descriptor narrowed(Reader& reader, oci::Descriptor root) const {
    if (!oci::is_index(root.media_type)) return root;
    const oci::Document document = reader.document(root);
    const auto* index = std::get_if<oci::Index>(&document.parsed);
    if (index == nullptr) return root;
    const oci::Platform wanted =
        options_.copy.platform.os.empty() ? host_platform() : options_.copy.platform;
    const auto chosen = choose_platform(index->manifests, wanted);
    if (!chosen || !oci::is_manifest(index->manifests[*chosen].media_type)) return root;
    return index->manifests[*chosen];
  }

  /// What is at the image's place; nullopt where nothing can be read.
  std::optional<Digest> digest_at(const ImageName& to) {
    try {
      const OpenedReader present = open_reader(to, session_);
      const auto root = present.reader->resolve(present.reference);
      return root ? std::optional(root->digest) : std::nullopt;
    } catch (const Error& e) {
      // A layout or directory that is not there yet; a repository that shows itself to its writers
      // only, or not before it exists.
      const bool absent = to.transport != "docker" || e.code() == Errc::not_found ||
                          e.code() == Errc::unauthorized || e.code() == Errc::denied;
      if (!absent) throw;
      return std::nullopt;
    }
  }

  void copy(Work& work, Reader& source, const oci::Descriptor& root, const CopyOptions& options,
            const std::stop_token& stop) {
    const bool dry_run = options_.mode == SyncOptions::Mode::dry_run;
    if (!dry_run) refuse_existing(work.to);
    OpenedWriter destination = open_writer(work.to, session_);
    Writer::Accepts accepts = destination.writer->accepts();
    if (options_.plain_layers == SyncOptions::PlainLayers::keep) accepts.default_layer_codec = "";
    const CopyPlan plan = plan_copy(source, root, accepts, options);
    std::vector<Tag> tags;
    if (const auto* digest = std::get_if<Digest>(&destination.reference)) {
      if (plan.root.digest != *digest) {
        throw Error(Errc::digest_mismatch,
                    cat("of the index one platform would be copied, which has another digest: ",
                        plan.root.digest.str(), " (--all copies the index)"));
      }
    } else {
      tags.push_back(std::get<Tag>(destination.reference));
    }
    // Converted, it has another digest than at the source.
    const auto foreseen =
        may_be_skipped() && plan.rewrites_documents ? foreseen_root(plan) : std::nullopt;
    if (foreseen && digest_at(work.to) == foreseen->digest) {
      work.arrived = foreseen->digest;
      tell(work, Kind::present, 0);
      return;
    }
    if (dry_run) {
      tell(work, Kind::would_copy, 0);
      return;
    }
    tell(work, Kind::begins, 0);
    for (const std::string& warning : plan.warnings) {
      observer_.notify({.kind = ProgressEvent::Kind::warning,
                        .note = cat(printable(work.from().str()), ": ", warning)});
    }
    WarningsOnly quiet(observer_);
    const CopyResult copied =
        run_copy(plan, source, *destination.writer, tags, options, quiet, stop);
    destination.writer->finish();
    work.arrived = copied.root.digest;
    tell(work, Kind::copied, copied.bytes_moved);
  }

  void refuse_existing(const ImageName& to) const {
    if (to.transport == "dir" &&
        options_.existing_directories == SyncOptions::ExistingDirectories::refuse &&
        std::filesystem::exists(to.rest)) {
      throw Error(Errc::already_exists,
                  cat("Refusing to overwrite destination directory ", lade::quoted(to.rest)));
    }
  }

  void tell(const Work& work, Kind kind, std::uint64_t bytes_moved, const Error* error = nullptr) {
    const std::scoped_lock lock(mutex_);
    if (kind == Kind::copied || kind == Kind::would_copy) ++result_.copied;
    if (kind == Kind::present) ++result_.present;
    if (kind == Kind::failed) ++result_.failed;
    result_.bytes_moved += bytes_moved;
    if (!options_.notify) return;
    options_.notify({.kind = kind,
                     .from = work.from(),
                     .to = work.to,
                     .position = work.position,
                     .count = work.repository->images.size(),
                     .digest = work.arrived,
                     .bytes_moved = bytes_moved,
                     .error = error});
  }

  Session& session_;
  const SyncOptions& options_;
  ProgressObserver& observer_;
  std::stop_token stop_;
  std::mutex mutex_;
  SyncResult result_;  // guarded by mutex_
};

/// Every image with its place, each once.
std::vector<Work> work_of(const SyncSet& set, const SyncTarget& target) {
  std::vector<Work> work;
  std::map<std::string, std::string> places;
  for (const SyncRepository& repository : set.repositories) {
    for (std::size_t i = 0; i < repository.images.size(); ++i) {
      const ImageName& from = repository.images[i];
      ImageName to = sync_destination(target, repository, from);
      const auto [place, is_new] = places.emplace(to.str(), from.str());
      if (is_new) {
        work.push_back({.repository = &repository, .position = i, .to = std::move(to)});
      } else if (place->second != from.str()) {
        throw Error(Errc::invalid_argument,
                    cat(printable(place->second), " and ", printable(from.str()), " would both be ",
                        printable(place->first), target.scoped ? "" : ": use --scoped"));
      }
    }
  }
  return work;
}

}  // namespace

ImageName sync_destination(const SyncTarget& target, const SyncRepository& repository,
                           const ImageName& image) {
  const std::string name = source_name(repository, image);
  const std::string suffix =
      cat(target.scoped ? std::string_view(name) : last_part(name), target.append_suffix);
  ImageName to{.transport = target.transport, .rest = {}};
  std::string_view base = target.name;
  if (target.transport == "docker") {
    if (base.starts_with("docker://")) base.remove_prefix(std::string_view("docker://").size());
    to.rest = Reference::parse(cat(without_slashes(base), "/", suffix)).str();
  } else if (target.transport == "dir") {
    check_path_below(suffix);
    to.rest = cat(base == "/" ? std::string_view() : without_slashes(base), "/", suffix);
  } else if (target.transport == "oci") {
    to.rest = cat(base, ":", suffix);
  } else {
    throw Error(Errc::invalid_argument,
                cat(lade::quoted(target.transport), " is not a valid destination transport"));
  }
  return to;
}

SyncResult sync_images(const SyncSet& set, const SyncTarget& target, Session& session,
                       const SyncOptions& options, ProgressObserver& observer,
                       const std::stop_token& stop, SyncResult* partial) {
  std::vector<Work> work = work_of(set, target);
  Syncer syncer(session, options, observer, stop);
  const auto result = [&] {
    SyncResult made = syncer.result();
    for (const Work& one : work) {
      if (one.arrived) {
        made.digest_lines.push_back(cat(one.arrived->str(), " ", one.to.str()));
      }
    }
    return made;
  };
  try {
    syncer.run(work);
  } catch (const std::exception&) {
    if (partial != nullptr) *partial = result();
    throw;
  }
  SyncResult made = result();
  if (partial != nullptr) *partial = made;
  return made;
}

}  // namespace lade::tools
