#include <algorithm>
#include <map>
#include <set>

#include "libimage/base/text.h"
#include "libimage/copy/attached.h"
#include "libimage/copy/copy.h"
#include "libimage/copy/document_cache.h"
#include "libimage/copy/family.h"
#include "libimage/copy/narrowing.h"
#include "libimage/copy/platforms.h"
#include "libimage/digest/hasher.h"
#include "libimage/name/platform.h"
#include "libimage/seekable/seekable.h"

namespace lade {
namespace {

using oci::Descriptor;
using oci::Document;
using oci::Family;
using Signatures = CopyOptions::Signatures;
using What = CopyOptions::What;

// Of all documents together: they are held until the copy is done.
constexpr std::uint64_t kMaxSignatureBytes = std::uint64_t{64} << 20U;

bool is_document(const Descriptor& descriptor) {
  return oci::is_manifest(descriptor.media_type) || oci::is_index(descriptor.media_type);
}

class Planner {
 public:
  Planner(DocumentCache& documents, const Writer::Accepts& accepts, const CopyOptions& options)
      : documents_(documents), accepts_(accepts), options_(options) {}

  CopyPlan plan(const Descriptor& root) {
    check_codec();
    const DocumentCache::Shared document = chosen(root);
    plan_.root = document->descriptor;
    plan_.convert_to = family_to_convert_to(*document, accepts_, options_);
    add(*document, 0);
    mark_changes();
    if (options_.attached != CopyOptions::Attached::left_behind) add_attached();
    plan_.rewrites_documents = !plan_.changed.empty();
    if (options_.signatures != Signatures::remove) add_signatures(root);
    if (options_.preserve_digests) check_digests(root);
    return std::move(plan_);
  }

 private:
  /// A codec that nothing would be brought to is a mistake.
  void check_codec() const {
    if (accepts_.compressed_layers || options_.layer_codec.empty() ||
        options_.layer_codec == "identity") {
      return;
    }
    throw Error(
        Errc::invalid_argument,
        cat("the destination holds layers without compression, not ", options_.layer_codec));
  }

  DocumentCache::Shared chosen(const Descriptor& root) {
    DocumentCache::Shared document = documents_.get(root);
    Narrowing narrowing(documents_, options_);
    if (options_.what == What::one_platform) return narrowing.to_one(std::move(document));
    if (options_.what == What::platforms) {
      return narrowing.to_several(document, kept_, plan_.warnings);
    }
    return document;
  }

  /// What is signed stays as it is, and its signatures come along.
  void add_signatures(const Descriptor& root) {
    std::uint64_t bytes = 0;
    const auto take = [&](const Descriptor& document) -> std::vector<std::string> {
      const bool index = oci::is_index(document.media_type);
      if (index && options_.signatures == Signatures::remove_of_indexes) return {};
      std::vector<std::string> found = documents_.source().signatures(document);
      for (const std::string& signature : found) bytes += signature.size();
      if (bytes > kMaxSignatureBytes) {
        throw Error(Errc::limit_exceeded,
                    cat("the signatures are larger than ", human_size(kMaxSignatureBytes)));
      }
      return found;
    };
    const auto fail = [](const Descriptor& document, std::string_view reason) {
      throw Error(Errc::unsupported, cat(document.digest.str(), " is signed, and ", reason,
                                         "; --remove-signatures copies without its signatures"));
    };
    constexpr std::string_view kChanges =
        "the copy would have another digest: this would invalidate signatures";
    const bool trimmed = options_.what == What::platforms && plan_.root.digest != root.digest;
    if ((trimmed || documents_.is_made(plan_.root.digest)) && !take(root).empty()) {
      fail(root, kChanges);
    }
    for (const Document& document : plan_.documents) {
      std::vector<std::string> found = take(document.descriptor);
      if (found.empty()) continue;
      if (!accepts_.signatures) {
        fail(document.descriptor, "the destination cannot hold its signatures");
      }
      if (plan_.changed.contains(document.descriptor.digest)) {
        fail(document.descriptor, kChanges);
      }
      plan_.signatures.push_back({document.descriptor, std::move(found)});
    }
  }

  void check_digests(const Descriptor& root) const {
    if (plan_.rewrites_documents || documents_.is_made(plan_.root.digest)) {
      throw Error(
          Errc::invalid_argument,
          "digests cannot be preserved: the destination or the options need other layers or "
          "another format");
    }
    if (options_.what == What::platforms && plan_.root.digest != root.digest) {
      throw Error(Errc::invalid_argument,
                  "digests cannot be preserved: the index loses entries (it keeps them if it is "
                  "copied as a sparse one)");
    }
    if (!accepts_.keeps_digests) {
      throw Error(Errc::invalid_argument,
                  "digests cannot be preserved: the destination keeps no manifests");
    }
  }

  /// True if the entries of indexes are copied, and this one.
  [[nodiscard]] bool is_copied(const Descriptor& child) const {
    if (options_.what == What::all || untouched_) return true;
    return options_.what == What::platforms &&
           (options_.other_entries == CopyOptions::OtherEntries::removed ||
            kept_.contains(child.digest));
  }

  void add(const Document& document, std::size_t depth) {
    check_depth(depth);
    if (!documents_seen_.insert(document.descriptor.digest).second) return;
    if (const auto* index = std::get_if<oci::Index>(&document.parsed)) {
      if (!accepts_.indexes) {
        throw Error(Errc::unsupported,
                    "the destination holds single images, not an index; choose one platform");
      }
      add_children(*index, depth);
    } else if (const auto* manifest = std::get_if<oci::Manifest>(&document.parsed)) {
      add_manifest(document, *manifest, depth);
    }
    if (is_converted(document)) {
      plan_.changed.insert(document.descriptor.digest);
    }
    plan_.documents.push_back(document);
  }

  [[nodiscard]] bool is_converted(const Document& document) const {
    return plan_.convert_to && !untouched_ && converts(document, *plan_.convert_to);
  }

  /// True if the destination holds no such thing. The index keeps its bytes, and names it still.
  [[nodiscard]] bool is_left_out(const Descriptor& child) {
    if (accepts_.artifacts || oci::is_index(child.media_type) || oci::is_schema1(child.media_type))
      return false;
    if (!is_document(child) || is_attestation(child)) return true;
    const DocumentCache::Shared document = documents_.get(child);
    const auto* manifest = std::get_if<oci::Manifest>(&document->parsed);
    return manifest != nullptr && !is_image(*manifest);
  }

  void add_children(const oci::Index& index, std::size_t depth) {
    std::vector<Descriptor> readable;
    for (const Descriptor& child : index.manifests) {
      if (is_copied(child) && is_document(child)) readable.push_back(child);
    }
    documents_.fetch(readable);
    for (const Descriptor& child : index.manifests) {
      if (!is_copied(child) || documents_seen_.contains(child.digest)) continue;
      if (is_left_out(child)) {
        plan_.warnings.push_back(cat("index entry ", child.digest.str(),
                                     " stays behind: the destination holds images only, and this "
                                     "is none"));
      } else if (is_document(child)) {
        add(*documents_.get(child), depth + 1);
      } else if (oci::is_schema1(child.media_type)) {
        throw Error(Errc::unsupported,
                    cat("index entry ", child.digest.str(), ": Docker's schema 1 within an index"));
      } else {
        // A type that this program does not know is carried as a blob, untouched (image-index.md,
        // "manifests").
        add_blob(child, PlannedBlob::Action::move, {});
      }
    }
  }

  void add_manifest(const Document& document, const oci::Manifest& manifest, std::size_t depth) {
    const bool convert = is_converted(document);
    if (plan_.convert_to == Family::docker && !convert && !untouched_ &&
        family_of(document) == Family::oci && (depth == 0 || !accepts_.oci)) {
      (void)oci::converted(manifest, Family::docker);  // says what is in the way
    }
    oci::Manifest after = manifest;
    add_blob(manifest.config, PlannedBlob::Action::move, {});
    bool other_diff_ids = false;
    for (std::size_t i = 0; i < manifest.layers.size(); ++i) {
      const Descriptor& layer = manifest.layers[i];
      const std::string codec = add_layer(layer, convert, is_image(manifest));
      if (codec.empty()) continue;
      plan_.changed.insert(document.descriptor.digest);
      const std::optional<SeekableFormat> seekable = seekable_format_named(codec);
      other_diff_ids = other_diff_ids || seekable == SeekableFormat::estargz;
      if (!convert) continue;
      after.layers[i].media_type =
          oci::layer_media_type(*plan_.convert_to, seekable ? codec_of(*seekable) : codec);
    }
    if (other_diff_ids) rewrite_config(manifest.config);
    // Before anything is moved.
    if (convert) (void)oci::converted(after, *plan_.convert_to);
  }

  void rewrite_config(const Descriptor& config) {
    for (PlannedBlob& blob : plan_.blobs) {
      if (blob.source.digest == config.digest) blob.action = PlannedBlob::Action::rewrite;
    }
  }

  /// Returns the codec that the layer is brought to; "": it stays as it is listed.
  std::string add_layer(const Descriptor& layer, bool convert, bool of_image) {
    const Descriptor served = documents_.source().served_as(layer);
    std::string codec = target_codec(served, convert);
    // What an artifact's bytes mean is not known here.
    if (accepts_.compressed_layers && (untouched_ || !of_image)) codec.clear();
    if (oci::is_nondistributable(layer.media_type) && !layer.urls.empty()) {
      return {};  // fetched from its urls by who runs it
    }
    const auto action = codec.empty() ? PlannedBlob::Action::move : PlannedBlob::Action::recompress;
    if (served.digest == layer.digest) {
      add_blob(layer, action, codec);
      return codec;
    }
    if (blobs_seen_.insert(layer.digest).second) {
      plan_.blobs.push_back(
          {.source = served, .action = action, .codec = codec, .listed_as = layer});
    }
    return codec.empty() ? std::string(oci::layer_codec(served.media_type)) : codec;
  }

  /// The codec that `layer` must be brought to; "" to leave it alone.
  [[nodiscard]] std::string target_codec(const Descriptor& layer, bool convert) const {
    const std::string_view have = oci::layer_codec(layer.media_type);
    const bool to_docker = convert && plan_.convert_to == Family::docker;
    if (oci::is_encrypted(layer.media_type) && (!accepts_.compressed_layers || to_docker)) {
      throw Error(Errc::unsupported, cat("layer ", layer.digest.str(), " is encrypted: the ",
                                         to_docker ? "format asked for has no such layers"
                                                   : "destination needs it unpacked"));
    }
    if (!accepts_.compressed_layers) {
      if (have.empty()) {
        throw Error(Errc::unsupported,
                    cat("layer ", layer.digest.str(), " has media type ", quoted(layer.media_type),
                        ": the destination holds plain tars only"));
      }
      return have == "identity" ? "" : "identity";
    }
    if (have.empty() || oci::is_encrypted(layer.media_type) ||
        oci::is_nondistributable(layer.media_type))
      return {};
    std::string wanted =
        options_.kept_layers.contains(layer.digest) ? std::string() : options_.layer_codec;
    if (wanted.empty() && have == "identity" && !options_.preserve_digests)
      wanted = accepts_.default_layer_codec;
    if (wanted.empty() && have == "zstd" && to_docker) wanted = "gzip";
    if (wanted.empty()) return {};
    const std::optional<SeekableFormat> seekable = seekable_format_named(wanted);
    const bool right = seekable ? seekable_format_of(layer) == seekable : wanted == have;
    if (right && !options_.force_recompress) return {};
    return wanted;
  }

  void add_blob(const Descriptor& blob, PlannedBlob::Action action, std::string codec) {
    if (!blobs_seen_.insert(blob.digest).second) return;
    plan_.blobs.push_back(
        {.source = documents_.with_data(blob), .action = action, .codec = std::move(codec)});
  }

  /// A document changes with what it points to, its subject included.
  void mark_changes() {
    std::multimap<Digest, Digest> pointed_from;
    for (const Document& document : plan_.documents) {
      const Digest& digest = document.descriptor.digest;
      if (const auto* index = std::get_if<oci::Index>(&document.parsed)) {
        for (const Descriptor& child : index->manifests) pointed_from.emplace(child.digest, digest);
        if (index->subject) pointed_from.emplace(index->subject->digest, digest);
      } else if (const auto* manifest = std::get_if<oci::Manifest>(&document.parsed)) {
        if (manifest->subject) pointed_from.emplace(manifest->subject->digest, digest);
      }
    }
    std::vector<Digest> pending(plan_.changed.begin(), plan_.changed.end());
    while (!pending.empty()) {
      const Digest digest = std::move(pending.back());
      pending.pop_back();
      const auto [first, last] = pointed_from.equal_range(digest);
      for (auto from = first; from != last; ++from) {
        if (plan_.changed.insert(from->second).second) pending.push_back(from->second);
      }
    }
  }

  void add_attached() {
    const bool required = options_.attached == CopyOptions::Attached::required;
    if (!accepts_.referrers) {
      if (!required) return;
      throw Error(Errc::unsupported,
                  "the destination cannot hold referrers: it has no place for them");
    }
    std::vector<Descriptor> subjects;
    for (const Document& document : plan_.documents) subjects.push_back(document.descriptor);
    for (std::size_t depth = 0; !subjects.empty(); ++depth) {
      if (depth > kMaxReferrerDepth) {
        throw Error(Errc::limit_exceeded,
                    cat("referrers of referrers, deeper than ", kMaxReferrerDepth));
      }
      subjects = add_referrers(subjects, required);
    }
    if (accepts_.names) add_cosign_tags();
  }

  /// Adds what refers to `subjects`, and returns it.
  std::vector<Descriptor> add_referrers(const std::vector<Descriptor>& subjects, bool required) {
    std::vector<Descriptor> added;
    std::size_t left_behind = 0;
    for (const Referrers& answer : find_referrers(documents_, subjects, options_)) {
      if (!answer.known) {
        if (required) throw Error(Errc::unsupported, "the source cannot tell referrers");
        continue;
      }
      std::vector<Descriptor> fresh;
      for (const Descriptor& referrer : answer.found) {
        if (documents_seen_.contains(referrer.digest)) continue;
        if (plan_.changed.contains(answer.subject.digest)) {
          ++left_behind;
        } else if (!is_document(referrer)) {
          warn(referrer, cat("is of type ", quoted(referrer.media_type), ", which is not copied"));
        } else {
          fresh.push_back(referrer);
        }
      }
      fetch_if_there(fresh);
      for (const Descriptor& referrer : fresh) add_referrer(referrer, answer.subject, added);
    }
    if (left_behind > 0) {
      plan_.warnings.push_back(cat(left_behind,
                                   left_behind == 1 ? " referrer stays" : " referrers stay",
                                   " behind: the digests that they are about change"));
    }
    return added;
  }

  void fetch_if_there(const std::vector<Descriptor>& referrers) {
    try {
      documents_.fetch(referrers);
    } catch (const Error& e) {
      if (e.code() != Errc::not_found) throw;  // each is asked for again, and warned of
    }
  }

  void warn(const Descriptor& referrer, std::string_view why) {
    plan_.warnings.push_back(cat("referrer ", referrer.digest.str(), " ", why));
  }

  void add_referrer(const Descriptor& referrer, const Descriptor& subject,
                    std::vector<Descriptor>& added) {
    DocumentCache::Shared document;
    try {
      document = documents_.get(referrer);
    } catch (const Error& e) {
      if (e.code() != Errc::not_found) throw;
      warn(referrer, "is listed, but is not there");
      return;
    }
    const auto* manifest = std::get_if<oci::Manifest>(&document->parsed);
    const auto* index = std::get_if<oci::Index>(&document->parsed);
    const auto& names = manifest != nullptr ? manifest->subject : index->subject;
    if (!names || names->digest != subject.digest) {
      warn(referrer, cat("is listed for ", subject.digest.str(), ", but has another subject"));
      return;
    }
    if (!add_as_it_is(*document)) return;
    Descriptor entry = document->descriptor;
    entry.artifact_type = manifest == nullptr               ? index->artifact_type
                          : manifest->artifact_type.empty() ? manifest->config.media_type
                                                            : manifest->artifact_type;
    entry.annotations = manifest != nullptr ? manifest->annotations : index->annotations;
    plan_.referrers.push_back(entry);
    added.push_back(std::move(entry));
  }

  /// Adds an attached document with all that it reaches, nothing of it changed: it may be signed.
  /// False: it is in the plan already.
  bool add_as_it_is(const Document& document) {
    const std::size_t before = plan_.documents.size();
    untouched_ = true;
    add(document, 0);
    untouched_ = false;
    return plan_.documents.size() > before;
  }

  void add_cosign_tags() {
    std::vector<Descriptor> signed_ones;
    for (const Document& document : plan_.documents) signed_ones.push_back(document.descriptor);
    std::size_t left_behind = 0;
    for (const CosignTag& tag : find_cosign_tags(documents_, signed_ones, options_)) {
      if (plan_.changed.contains(tag.subject)) {
        ++left_behind;
        continue;
      }
      const DocumentCache::Shared document = documents_.get(tag.document);
      add_as_it_is(*document);
      plan_.tags.push_back({.tag = tag.tag, .document = document->descriptor});
    }
    if (left_behind > 0) {
      plan_.warnings.push_back(cat(left_behind, left_behind == 1 ? " tag" : " tags",
                                   " of cosign's stay behind: the digests that they are about "
                                   "change"));
    }
  }

  DocumentCache& documents_;
  const Writer::Accepts& accepts_;
  const CopyOptions& options_;
  CopyPlan plan_{.root = {.digest = sha256_of("")}};
  std::set<Digest> documents_seen_;
  std::set<Digest> blobs_seen_;
  std::set<Digest> kept_;   // entries of a sparse index that are copied
  bool untouched_ = false;  // while attached documents are added
};

}  // namespace

struct CopyPlanner::State {
  State(Reader& source, Descriptor of, CopyOptions with)
      : root(std::move(of)), options(std::move(with)), documents(source, options) {}
  Descriptor root;
  CopyOptions options;
  DocumentCache documents;
};

CopyPlanner::CopyPlanner(Reader& source, Descriptor root, CopyOptions options)
    : state_(std::make_unique<State>(source, std::move(root), std::move(options))) {}

CopyPlanner::~CopyPlanner() = default;

CopyPlan CopyPlanner::plan(const Writer::Accepts& accepts) {
  return Planner(state_->documents, accepts, state_->options).plan(state_->root);
}

CopyPlan plan_copy(Reader& source, const Descriptor& root, const Writer::Accepts& accepts,
                   const CopyOptions& options) {
  return CopyPlanner(source, root, options).plan(accepts);
}

}  // namespace lade
