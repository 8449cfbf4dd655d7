/// Copies graphs of descriptors from one store to others. Plans are made by reading documents;
/// run_copy moves the bytes.
#pragma once
#include <memory>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <vector>

#include "libimage/base/error.h"
#include "libimage/base/progress.h"
#include "libimage/compress/codec.h"
#include "libimage/store/store.h"
#include "libimage/task/retry.h"

namespace lade {

struct CopyOptions {
  enum class What {
    one_platform,  ///< an index is narrowed to the image for `platform`
    all,           ///< everything that the root reaches
    platforms,     ///< an index with the images for `platforms`, and what attests to them
    index_only,    ///< the index document alone; its images must be at the destination
  };
  What what = What::one_platform;
  oci::Platform platform = {};                ///< for one_platform; empty os: the host's
  std::vector<oci::Platform> platforms = {};  ///< for platforms
  /// With `platforms`: of each the best image, or every variant (linux/arm: v5, v6 and v7).
  enum class Variants { best, every };
  Variants variants = Variants::best;
  /// With `platforms`: whether the index loses its other entries, or keeps them (and its digest)
  /// though their images are not copied.
  enum class OtherEntries { removed, kept };
  OtherEntries other_entries = OtherEntries::removed;
  /// What is attached to the copied documents from outside: referrers, theirs in turn, and cosign's
  /// tags (sha256-HEX.sig, .att, .sbom). Attached documents of those whose digest changes stay
  /// behind, with a warning: they are about other bytes.
  enum class Attached {
    left_behind,
    where_possible,  ///< copied, if the destination can hold them
    required,        ///< Error where source or destination cannot
  };
  Attached attached = Attached::left_behind;
  std::optional<oci::Family> family =
      {};  ///< --format; nullopt: keep, or what the destination accepts
  /// "gzip", "zstd", "identity", or a seekable format: "zstd:chunked", "estargz" (whose configs get
  /// other diff IDs); "": keep what is compressed.
  std::string layer_codec = {};
  CompressOptions compress = {};
  std::set<Digest> kept_layers = {};  ///< which `layer_codec` does not concern
  bool force_recompress = false;      ///< also where the codec is right already
  bool preserve_digests = false;      ///< Error where that cannot hold
  /// Signatures that the source keeps beside its documents (Reader::signatures). `keep`: copied; an
  /// Error where the destination cannot hold them, or where a signed document would change.
  enum class Signatures { keep, remove_of_indexes, remove };
  Signatures signatures = Signatures::keep;
  unsigned jobs = 6;  ///< blobs at once
  RetryPolicy retry = {.attempts = 3};
  /// What a hostile index may cost: documents are held while they are copied.
  std::size_t max_documents = 50'000;
  std::uint64_t max_document_bytes = std::uint64_t{256} << 20U;
};

/// What happens to one blob.
struct PlannedBlob {
  enum class Action {
    move,
    recompress,
    rewrite,  ///< a config whose layers get other diff IDs: written with its manifest
  };
  oci::Descriptor source;  ///< with `data` if it is made by the plan, not read from the source
  Action action = Action::move;
  std::string codec = {};  ///< recompress: the target codec
  /// What the documents list, where the source serves the same content in another form.
  std::optional<oci::Descriptor> listed_as = {};
  bool operator==(const PlannedBlob&) const = default;
  /// The blob as the documents have it.
  [[nodiscard]] const oci::Descriptor& listed() const { return listed_as ? *listed_as : source; }
};

/// A tag that comes with what it is attached to.
struct PlannedTag {
  Tag tag;
  oci::Descriptor document;
  bool operator==(const PlannedTag&) const = default;
};

/// Signatures that come with the document that they are kept beside.
struct PlannedSignatures {
  oci::Descriptor document;
  std::vector<std::string> signatures;
  bool operator==(const PlannedSignatures&) const = default;
};

/// A plan: documents in the order in which they must be stored (children first), blobs once each.
struct CopyPlan {
  oci::Descriptor root;
  std::vector<oci::Document> documents = {};
  std::vector<PlannedBlob> blobs = {};
  std::optional<oci::Family> convert_to = {};
  bool rewrites_documents = false;              ///< digests of documents will change:
  std::set<Digest> changed = {};                ///< of these, as they are at the source
  std::vector<oci::Descriptor> referrers = {};  ///< documents found by their subject only
  std::vector<PlannedTag> tags = {};            ///< cosign's
  std::vector<PlannedSignatures> signatures = {};
  std::vector<std::string> warnings = {};  ///< what the user should know, a sentence each
};

/// Walks documents from `root`, chooses platforms, dedupes by digest, decides conversions. A schema
/// 1 manifest becomes one of schema 2, for which its layers are read. Throws Error{limit_exceeded}
/// where there are more documents than `options` allow, Error{not_found} where no platform fits.
CopyPlan plan_copy(Reader& source, const oci::Descriptor& root, const Writer::Accepts& accepts,
                   const CopyOptions& options);

/// Plans for several destinations, for which each document is read once.
class CopyPlanner {
 public:
  /// `source` must outlive the planner.
  CopyPlanner(Reader& source, oci::Descriptor root, CopyOptions options);
  ~CopyPlanner();
  CopyPlanner(const CopyPlanner&) = delete;
  CopyPlanner& operator=(const CopyPlanner&) = delete;
  /// As plan_copy().
  CopyPlan plan(const Writer::Accepts& accepts);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

struct CopyResult {
  oci::Descriptor root;  ///< as stored at the destination
  std::uint64_t bytes_moved = 0, bytes_skipped = 0, bytes_mounted = 0;
  std::uint64_t blobs_moved = 0, blobs_skipped = 0, blobs_mounted = 0;
};

/// Moves blobs in parallel, then documents children first, then tags. A blob is retried alone, with
/// the source opened again, unless the failure is final (tried again by the transport already). The
/// first failure stops the rest and is thrown. Does not call destination.finish().
CopyResult run_copy(const CopyPlan& plan, Reader& source, Writer& destination,
                    const std::vector<Tag>& tags, const CopyOptions& options,
                    ProgressObserver& observer, const std::stop_token& stop);

/// One of several destinations. Borrows all but `tags`.
struct CopyTarget {
  const CopyPlan* plan = nullptr;
  Writer* destination = nullptr;
  std::vector<Tag> tags = {};
};

/// What became of it: one of both is set.
struct CopyOutcome {
  std::optional<CopyResult> result = {};
  std::optional<Error> failure = {};
};

/// As run_copy() to several destinations at once, in their order. A blob is read once and written
/// to all that need it. A destination that fails does not stop the others.
std::vector<CopyOutcome> run_copies(const std::vector<CopyTarget>& targets, Reader& source,
                                    const CopyOptions& options, ProgressObserver& observer,
                                    const std::stop_token& stop);

/// What a plan would do at a destination, found by asking it.
struct CopyForecast {
  enum class Fate { exists, mount, move, recompress };
  struct Blob {
    PlannedBlob planned;
    Fate fate = Fate::move;
  };
  struct Document {
    oci::Descriptor descriptor;  ///< as in the plan: at the source
    Fate fate = Fate::move;      ///< exists, move, or recompress for one that will be rewritten
  };
  std::vector<Blob> blobs = {};  ///< in the plan's order
  std::vector<Document> documents = {};
  /// Of blobs and documents; recompressed ones count as they are at the source.
  std::uint64_t bytes_to_move = 0, bytes_to_mount = 0, bytes_existing = 0;
};

/// Writes nothing.
CopyForecast forecast_copy(const CopyPlan& plan, Reader& source, Writer& destination,
                           const CopyOptions& options, const std::stop_token& stop);

}  // namespace lade
