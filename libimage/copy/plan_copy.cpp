#include <algorithm>
#include <set>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/copy/copy.h"
#include "libimage/digest/hasher.h"
#include "libimage/name/platform.h"

namespace lade {
namespace {

using oci::Descriptor;
using oci::Document;
using oci::Family;

class Planner {
 public:
  Planner(Reader& source, const Writer::Accepts& accepts, const CopyOptions& options)
      : source_(source), accepts_(accepts), options_(options) {}

  CopyPlan plan(const Descriptor& root) {
    Document document = source_.document(root);
    if (options_.what == CopyOptions::What::one_platform) {
      document = narrowed(std::move(document));
    }
    plan_.root = document.descriptor;
    plan_.convert_to = family_for(document);
    add(std::move(document), 0);
    if (plan_.rewrites_documents && options_.preserve_digests) {
      throw Error(
          Errc::invalid_argument,
          "digests cannot be preserved: the destination or the options need other layers or "
          "another format");
    }
    return std::move(plan_);
  }

 private:
  /// The image for the wanted platform, through indexes within indexes.
  Document narrowed(Document document) {
    for (std::size_t depth = 0; const auto* index = std::get_if<oci::Index>(&document.parsed);
         ++depth) {
      if (depth == oci::kMaxIndexDepth) {
        throw Error(Errc::limit_exceeded,
                    cat("indexes are nested deeper than ", oci::kMaxIndexDepth));
      }
      const oci::Platform wanted =
          options_.platform.os.empty() ? host_platform() : options_.platform;
      const auto position = choose_platform(index->manifests, wanted);
      if (!position) throw Error(Errc::not_found, no_such_platform(*index, wanted));
      document = source_.document(index->manifests[*position]);
    }
    return document;
  }

  static std::string no_such_platform(const oci::Index& index, const oci::Platform& wanted) {
    std::string message =
        cat("no image for platform ", oci::to_string(wanted), " in the index; it has");
    std::string separator = " ";
    for (const Descriptor& entry : index.manifests) {
      if (!entry.platform) continue;
      message += cat(separator, printable(oci::to_string(*entry.platform)));
      separator = ", ";
    }
    return separator == " " ? cat(message, " none with a platform") : message;
  }

  /// The family to convert to; nullopt: documents stay as they are.
  std::optional<Family> family_for(const Document& root) const {
    if (options_.what == CopyOptions::What::index_only && options_.family) {
      throw Error(Errc::invalid_argument,
                  "an index alone cannot change its format: its images would not match");
    }
    const std::optional<Family> have = family_of(root);
    if (!have) {
      if (options_.family) {
        throw Error(Errc::unsupported,
                    cat("media type ", quoted(root.descriptor.media_type), " cannot be converted"));
      }
      return std::nullopt;
    }
    if (options_.family) {
      if (!accepted(*options_.family)) {
        throw Error(Errc::unsupported,
                    "the destination cannot hold images of the requested format");
      }
      return options_.family;
    }
    if (accepted(*have)) return std::nullopt;
    return *have == Family::oci ? Family::docker : Family::oci;
  }

  [[nodiscard]] bool accepted(Family family) const {
    return family == Family::oci ? accepts_.oci : accepts_.docker;
  }

  static std::optional<Family> family_of(const Document& document) {
    if (std::holds_alternative<oci::Unknown>(document.parsed)) return std::nullopt;
    return document.descriptor.media_type.starts_with("application/vnd.docker.") ? Family::docker
                                                                                 : Family::oci;
  }

  void add(Document document, std::size_t depth) {
    if (depth > oci::kMaxIndexDepth) {
      throw Error(Errc::limit_exceeded,
                  cat("indexes are nested deeper than ", oci::kMaxIndexDepth));
    }
    if (!documents_seen_.insert(document.descriptor.digest).second) return;
    document_bytes_ += document.raw.size();
    if (documents_seen_.size() > options_.max_documents ||
        document_bytes_ > options_.max_document_bytes) {
      throw Error(Errc::limit_exceeded, cat("more than ", options_.max_documents, " documents or ",
                                            options_.max_document_bytes, " bytes of them"));
    }
    if (const auto* index = std::get_if<oci::Index>(&document.parsed)) {
      if (!accepts_.indexes) {
        throw Error(Errc::unsupported,
                    "the destination holds single images, not an index; choose one platform");
      }
      if (options_.what == CopyOptions::What::all) {
        for (const Descriptor& child : index->manifests) add_child(child, depth);
      }
    } else if (const auto* manifest = std::get_if<oci::Manifest>(&document.parsed)) {
      add_blob(manifest->config, PlannedBlob::Action::move, {});
      for (const Descriptor& layer : manifest->layers) add_layer(layer);
    }
    const std::optional<Family> have = family_of(document);
    if (plan_.convert_to && have && *have != *plan_.convert_to) plan_.rewrites_documents = true;
    plan_.documents.push_back(std::move(document));
  }

  void add_child(const Descriptor& child, std::size_t depth) {
    if (documents_seen_.contains(child.digest)) return;  // not read again
    if (oci::is_manifest(child.media_type) || oci::is_index(child.media_type)) {
      add(with_context([&] { return cat("index entry ", child.digest.str()); },
                       [&] { return source_.document(child); }),
          depth + 1);
    } else {
      // A type that this program does not know is carried as a blob, untouched (image-index.md,
      // "manifests").
      add_blob(child, PlannedBlob::Action::move, {});
    }
  }

  void add_layer(const Descriptor& layer) {
    if (oci::is_nondistributable(layer.media_type) && !layer.urls.empty())
      return;  // fetched from its urls by who runs it
    const std::string codec = target_codec(layer);
    if (codec.empty()) {
      add_blob(layer, PlannedBlob::Action::move, {});
    } else {
      add_blob(layer, PlannedBlob::Action::recompress, codec);
      plan_.rewrites_documents = true;
    }
  }

  /// The codec that `layer` must be brought to; "" to leave it alone.
  [[nodiscard]] std::string target_codec(const Descriptor& layer) const {
    const std::string_view have = oci::layer_codec(layer.media_type);
    if (!accepts_.compressed_layers) {
      if (oci::is_encrypted(layer.media_type)) {
        throw Error(Errc::unsupported, cat("layer ", layer.digest.str(),
                                           " is encrypted: the destination needs it unpacked"));
      }
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
    std::string wanted = options_.layer_codec;
    if (wanted.empty() && have == "identity" && !options_.preserve_digests)
      wanted = accepts_.default_layer_codec;
    if (wanted.empty() || (wanted == have && !options_.force_recompress)) return {};
    return wanted;
  }

  void add_blob(const Descriptor& blob, PlannedBlob::Action action, std::string codec) {
    if (!blobs_seen_.insert(blob.digest).second) return;
    plan_.blobs.push_back({.source = blob, .action = action, .codec = std::move(codec)});
  }

  Reader& source_;
  const Writer::Accepts& accepts_;
  const CopyOptions& options_;
  CopyPlan plan_{.root = {.digest = sha256_of("")}};
  std::set<Digest> documents_seen_;
  std::uint64_t document_bytes_ = 0;
  std::set<Digest> blobs_seen_;
};

}  // namespace

CopyPlan plan_copy(Reader& source, const Descriptor& root, const Writer::Accepts& accepts,
                   const CopyOptions& options) {
  return Planner(source, accepts, options).plan(root);
}

}  // namespace lade
