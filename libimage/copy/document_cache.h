#pragma once
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "libimage/copy/copy.h"

namespace lade {

/// The documents of a source, each read once, many at a time, within the limits of CopyOptions.
/// Thread-safe. Schema 1 manifests come out as the schema 2 manifests that they are made into.
class DocumentCache {
 public:
  using Shared = std::shared_ptr<const oci::Document>;

  /// Both must outlive the cache.
  DocumentCache(Reader& source, const CopyOptions& options) : source_(source), options_(options) {}

  /// The document; Errors of Reader::document, Error{limit_exceeded} for one too many.
  Shared get(const oci::Descriptor& descriptor);
  /// Reads what get() will be asked for. Duplicates cost nothing.
  void fetch(const std::vector<oci::Descriptor>& descriptors);
  /// Adds a document that was made here, for get() by its digest.
  Shared put(oci::Document document);

  /// `blob`, with its bytes in `data` if it was made here.
  [[nodiscard]] oci::Descriptor with_data(const oci::Descriptor& blob) const;
  /// True if the document was made from one of schema 1.
  [[nodiscard]] bool is_made(const Digest& document) const;
  [[nodiscard]] Reader& source() const noexcept { return source_; }

 private:
  Shared find(const Digest& digest) const;
  /// Counts a document that is about to be read.
  void admit(const oci::Descriptor& descriptor);
  Shared read(const oci::Descriptor& descriptor);

  Reader& source_;
  const CopyOptions& options_;
  mutable std::mutex mutex_;
  std::map<Digest, Shared> documents_;  // guarded by mutex_; by the digest asked for
  std::map<Digest, std::string> made_;  // guarded by mutex_: bytes of blobs and documents
  std::size_t admitted_ = 0;            // guarded by mutex_
  std::uint64_t admitted_bytes_ = 0;    // guarded by mutex_
};

}  // namespace lade
