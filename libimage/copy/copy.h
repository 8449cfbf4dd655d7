/// Copies graphs of descriptors from one store to another. plan_copy is pure reading; run_copy
/// moves the bytes.
#pragma once
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "libimage/base/progress.h"
#include "libimage/compress/codec.h"
#include "libimage/store/store.h"
#include "libimage/task/retry.h"

namespace lade {

struct CopyOptions {
  enum class What {
    one_platform,  ///< an index is narrowed to the image for `platform`
    all,           ///< everything that the root reaches
    index_only,    ///< the index document alone; its images must be at the destination
  };
  What what = What::one_platform;
  oci::Platform platform = {};  ///< for one_platform; empty os: the host's
  std::optional<oci::Family> family =
      {};                        ///< --format; nullopt: keep, or what the destination accepts
  std::string layer_codec = {};  ///< "gzip", "zstd", "identity"; "": keep what is compressed
  CompressOptions compress = {};
  bool force_recompress = false;  ///< also where the codec is right already
  bool preserve_digests = false;  ///< Error where that cannot hold
  unsigned jobs = 6;              ///< blobs at once
  RetryPolicy retry = {.attempts = 3};
  /// What a hostile index may cost: documents are held while they are copied.
  std::size_t max_documents = 50'000;
  std::uint64_t max_document_bytes = std::uint64_t{256} << 20U;
};

/// What happens to one blob.
struct PlannedBlob {
  enum class Action { move, recompress };
  oci::Descriptor source;
  Action action = Action::move;
  std::string codec = {};  ///< recompress: the target codec
  bool operator==(const PlannedBlob&) const = default;
};

/// A plan: documents in the order in which they must be stored (children first), blobs once each.
struct CopyPlan {
  oci::Descriptor root;
  std::vector<oci::Document> documents = {};
  std::vector<PlannedBlob> blobs = {};
  std::optional<oci::Family> convert_to = {};
  bool rewrites_documents = false;  ///< digests of documents will change
};

/// Walks documents from `root`, chooses platforms, dedupes by digest, decides conversions. Throws
/// Error{limit_exceeded} where there are more documents than `options` allow.
CopyPlan plan_copy(Reader& source, const oci::Descriptor& root, const Writer::Accepts& accepts,
                   const CopyOptions& options);

struct CopyResult {
  oci::Descriptor root;  ///< as stored at the destination
  std::uint64_t bytes_moved = 0, bytes_skipped = 0;
  std::uint64_t blobs_moved = 0, blobs_skipped = 0, blobs_mounted = 0;
};

/// Moves blobs in parallel, then documents children first, then tags. A blob is retried alone, with
/// the source opened again, unless the failure is final (tried again by the transport already). The
/// first failure stops the rest and is thrown. Does not call destination.finish().
CopyResult run_copy(const CopyPlan& plan, Reader& source, Writer& destination,
                    const std::vector<Tag>& tags, const CopyOptions& options,
                    ProgressObserver& observer, const std::stop_token& stop);

}  // namespace lade
