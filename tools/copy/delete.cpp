// lade delete NAME...
#include <array>
#include <mutex>
#include <random>
#include <set>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/digest/hasher.h"
#include "libimage/name/tag_filter.h"
#include "libimage/oci/layout.h"
#include "libimage/task/run_graph.h"
#include "libimage/transports/transports.h"

#include "tools/common/groups.h"
#include "tools/common/terminal.h"
#include "tools/copy/one_side.h"
#include "tools/copy/verbs.h"

namespace lade::tools {
namespace {

constexpr std::array<OptionSpec, 6> kDeleteOptions = {{
    {.name = "by-digest",
     .help = "delete the image that a tag points to, with all its tags, instead of the tag alone"},
    {.name = "force", .help = "with --by-digest: even if other tags point to the image"},
    {.name = "force-tag-delete",
     .help = "where the registry cannot delete a tag alone: push a stand-in over the tag, then "
             "delete that by its digest"},
    {.name = "referrers",
     .help = "also delete what refers to the image: signatures, SBOMs, artifacts"},
    {.name = "ignore-missing", .help = "names that do not exist are no failures"},
    {.name = "dry-run", .help = "print what would be deleted"},
}};
constexpr std::array<std::span<const OptionSpec>, 2> kGroups = {kDeleteOptions, kRegistryOptions};
constexpr std::array<std::string_view, 6> kExamples = {
    "Delete a tag, and nothing else",
    "lade delete docker://registry.example/app:1.0-rc.1",
    "Delete an image with its signatures, wherever it is tagged",
    "lade delete --by-digest --force --referrers docker://registry.example/app:1.0",
    "Delete an image of a layout, and the blobs that no other image needs",
    "lade delete oci:app:1.0",
};
constexpr unsigned kRequestsAtOnce = 8;
constexpr std::size_t kMostReferrers = 10'000;
constexpr std::size_t kTagsShown = 10;

struct Mode {
  explicit Mode(const Arguments& arguments)
      : by_digest(arguments.flag("by-digest")),
        force(arguments.flag("force")),
        force_tag_delete(arguments.flag("force-tag-delete")),
        referrers(arguments.flag("referrers")),
        ignore_missing(arguments.flag("ignore-missing")),
        dry_run(arguments.flag("dry-run")) {
    if (force && !by_digest) throw UsageError("--force goes with --by-digest");
    if (force_tag_delete && by_digest) {
      throw UsageError("--force-tag-delete keeps what --by-digest deletes: choose one");
    }
  }
  bool by_digest, force, force_tag_delete, referrers, ignore_missing, dry_run;
};

/// A document that nothing else is, to stand in for an image at its tag.
struct StandIn {
  oci::Descriptor descriptor;
  std::string raw;
};

/// One name to delete.
class Deletion {
 public:
  Deletion(const std::string& name, const Mode& mode, Session& session)
      : name_(name), mode_(mode), parsed_(parse_image_name(name)) {
    if (parsed_.transport != "docker" && parsed_.transport != "oci" &&
        parsed_.transport != "containers-storage") {
      throw Error(Errc::unsupported,
                  cat("nothing can be deleted from ", quoted(cat(parsed_.transport, ":")),
                      " places: remove the file or directory"));
    }
    OpenedReader opened = open_reader(parsed_, session);
    reader_ = std::move(opened.reader);
    reference_ = std::move(opened.reference);
    session_ = &session;
  }

  void run(const std::stop_token& stop) {
    const std::optional<oci::Descriptor> root = reader_->resolve(reference_);
    if (!root) {
      if (mode_.ignore_missing) return;
      throw Error(Errc::not_found, "no such image");
    }
    if (!mode_.dry_run) writer_ = open_writer(parsed_, *session_).writer;
    if (mode_.by_digest || std::holds_alternative<Digest>(reference_)) {
      delete_image(*root, stop);
    } else if (mode_.referrers) {
      throw UsageError("--referrers goes with a digest or --by-digest: a tag has no referrers");
    } else {
      delete_tag(std::get<Tag>(reference_), *root);
    }
  }

 private:
  void say(std::string_view what, const std::string& which) const {
    print(cat(mode_.dry_run ? "would delete " : "deleted ", what, " ", printable(which), "\n"));
  }

  void delete_tag(const Tag& tag, const oci::Descriptor& root) {
    if (!mode_.dry_run) {
      try {
        writer_->remove(tag);
      } catch (const Error& e) {
        if (e.code() != Errc::unsupported || parsed_.transport != "docker") throw;
        if (!mode_.force_tag_delete) throw explained(e);
        replace_and_delete(tag, root);
      }
    }
    say("tag", name_);
  }

  static Error explained(const Error& e) {
    return Error(e.code(),
                 cat(e.what(),
                     "; --by-digest deletes the image with all its tags, --force-tag-delete pushes "
                     "a stand-in over the tag and deletes that"),
                 e.detail());
  }

  void delete_image(const oci::Descriptor& root, const std::stop_token& stop) {
    if (mode_.by_digest && !mode_.force) refuse_other_tags(root.digest, stop);
    std::vector<Digest> referrers;
    if (mode_.referrers) referrers = everything_about(root.digest);
    remove_digest(root.digest, "image");
    for (const Digest& referrer : referrers) {
      try {
        remove_digest(referrer, "referrer");
      } catch (const Error& e) {
        if (e.code() != Errc::not_found) throw;  // gone with its subject
      }
    }
  }

  void remove_digest(const Digest& digest, std::string_view what) {
    if (!mode_.dry_run) writer_->remove(digest);
    say(what, digest.str());
  }

  void refuse_other_tags(const Digest& digest, const std::stop_token& stop) {
    const auto* own = std::get_if<Tag>(&reference_);
    std::string others;
    std::size_t count = 0;
    for (const std::string& tag : tags_of(digest, stop)) {
      if (own != nullptr && tag == own->value) continue;
      if (++count <= kTagsShown) others += cat(count == 1 ? "" : ", ", printable(tag));
    }
    if (count == 0) return;
    if (count > kTagsShown) others += cat(" and ", count - kTagsShown, " more");
    throw Error(Errc::denied, cat("the image has other tags, which would go too: ", others,
                                  " (--force deletes them)"));
  }

  /// Every tag that points to `digest`.
  std::vector<std::string> tags_of(const Digest& digest, const std::stop_token& stop) {
    std::vector<std::string> found;
    if (auto* layout = dynamic_cast<LayoutStore*>(reader_.get())) {
      for (const oci::Descriptor& entry : layout->entries()) {
        const std::string name = entry.annotation(std::string(oci::kRefNameAnnotation));
        if (entry.digest == digest && !name.empty()) found.push_back(name);
      }
      return found;
    }
    const std::vector<std::string> tags = reader_->tags().value_or(std::vector<std::string>());
    std::mutex mutex;
    const auto ask = [&](std::size_t i) {
      const std::optional<oci::Descriptor> root = reader_->resolve(Tag{tags[i]});
      if (!root || root->digest != digest) return;
      const std::scoped_lock lock(mutex);
      found.push_back(tags[i]);
    };
    parallel_for(tags.size(), kRequestsAtOnce, ask, stop);
    std::sort(found.begin(), found.end());
    return found;
  }

  /// What refers to `subject`, and to that, and so on; cosign's tags too.
  std::vector<Digest> everything_about(const Digest& subject) {
    std::vector<Digest> found;
    std::vector<Digest> pending = {subject};
    std::set<Digest> seen = {subject};
    const auto take = [&](const oci::Descriptor& referrer) {
      if (!seen.insert(referrer.digest).second) return;
      found.push_back(referrer.digest);
      pending.push_back(referrer.digest);
      if (found.size() > kMostReferrers) {
        throw Error(Errc::limit_exceeded, cat("more than ", kMostReferrers, " referrers"));
      }
    };
    while (!pending.empty()) {
      const Digest next = std::move(pending.back());
      pending.pop_back();
      for (const oci::Descriptor& referrer :
           reader_->referrers(next).value_or(std::vector<oci::Descriptor>())) {
        take(referrer);
      }
      std::vector<std::string> tags = cosign_tags(next);
      tags.push_back(cat(next.algorithm(), "-", next.encoded()));
      for (std::string& tag : tags) {
        if (!is_tag(tag)) continue;
        if (const auto attached = reader_->resolve(Tag{std::move(tag)})) take(*attached);
      }
    }
    return found;
  }

  /// First a stand-in beside the tag, to know that the registry deletes at all: then the tag is
  /// never lost to one that does not.
  void replace_and_delete(const Tag& tag, const oci::Descriptor& root) {
    writer_->remove(put_stand_in().descriptor.digest);
    const StandIn stand_in = put_stand_in();
    writer_->tag(tag, stand_in.descriptor);
    const std::optional<oci::Descriptor> now = reader_->resolve(tag);
    if (!now || now->digest != stand_in.descriptor.digest) {
      throw Error(Errc::unavailable, "somebody else moved the tag meanwhile");
    }
    try {
      writer_->remove(stand_in.descriptor.digest);
    } catch (const Error&) {
      writer_->tag(tag, root);
      throw;
    }
  }

  StandIn put_stand_in() {
    std::random_device random;
    std::string unique;
    for (int i = 0; i < 4; ++i) unique += cat(unique.empty() ? "" : "-", random());
    const std::string config =
        cat(R"({"architecture":"amd64","os":"linux","config":{"Labels":{"lade.deleted-tag":")",
            unique, R"("}},"rootfs":{"type":"layers","diff_ids":[]}})");
    oci::Manifest manifest{.config = oci::describe(std::string(oci::kImageConfig), config)};
    const std::unique_ptr<BlobWriter> blob = writer_->start_blob({.expected = manifest.config});
    blob->write(bytes_of(config));
    (void)blob->commit(manifest.config.media_type);
    StandIn stand_in{.descriptor = manifest.config, .raw = oci::serialise(manifest)};
    stand_in.descriptor = oci::describe(std::string(oci::kImageManifest), stand_in.raw);
    writer_->put_manifest(stand_in.descriptor, stand_in.raw);
    return stand_in;
  }

  const std::string& name_;
  const Mode& mode_;
  ImageName parsed_;
  std::unique_ptr<Reader> reader_;
  std::unique_ptr<Writer> writer_;
  TagOrDigest reference_ = Tag{};
  Session* session_ = nullptr;
};

int run_delete(const Arguments& arguments, const Environment& environment) {
  const Mode mode(arguments);
  OneSide side(arguments, environment);
  int status = 0;
  for (const std::string& name : arguments.positional()) {
    try {
      with_context([&] { return cat("delete ", printable(name)); },
                   [&] {
                     if (!has_transport(name)) {
                       throw UsageError(cat("images of the local store are removed by 'lade rmi ",
                                            printable(name), "'"));
                     }
                     Deletion(name, mode, *side.session).run(side.stop.token());
                   });
    } catch (const Error& e) {
      if (arguments.positional().size() == 1) throw;
      print_error(cat("lade: ", e.what(), "\n"));
      status = 1;
    }
  }
  return status;
}

}  // namespace

const VerbSpec kDeleteVerb = {
    .name = "delete",
    .synopsis = "NAME...",
    .summary = "delete tags and images from registries and layouts",
    .description =
        "Deletes each NAME (docker://, oci: or containers-storage:). A tag is deleted alone: the "
        "image stays under its "
        "digest and other tags. Many registries cannot do that; the command then says so and "
        "changes nothing, unless --by-digest deletes the image with all its tags (refused while "
        "there are others, without --force) or --force-tag-delete takes the detour over a "
        "stand-in. A NAME with a digest deletes the image and all its tags.\n\n"
        "From a layout or container storage the name is deleted, and every blob or layer that no "
        "other image there needs.",
    .options = kGroups,
    .examples = kExamples,
    .min_positional = 1,
    .max_positional = 10000,
    .run = run_delete,
    .group = "Copy",
};

}  // namespace lade::tools
