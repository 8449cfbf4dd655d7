/// How a cache is kept in a store: the documents that hold a CacheSet.
#pragma once
#include <optional>
#include <string>

#include "libimage/buildcache/cache_set.h"
#include "libimage/oci/document.h"
#include "libimage/store/store.h"

namespace lade::buildcache {

struct CacheForm {
  /// True: an image manifest whose layers are the blobs; false: an index of them, as old versions
  /// of BuildKit wrote it.
  bool image_manifest = true;
  /// Media types; Docker's only with an index.
  oci::Family family = oci::Family::oci;
  bool operator==(const CacheForm&) const = default;
};

struct ReadCache {
  CacheSet set = {};
  /// nullopt: an image, or an index of images. They hold a cache where `set` has records.
  std::optional<CacheForm> form = {};
};

/// Reads the cache at `root` (of `reader`) in whatever form it has; layers are not opened. Throws
/// Error{invalid_content, limit_exceeded} for one that breaks the rules, and what reading throws.
ReadCache read_cache(Reader& reader, const oci::Descriptor& root);

/// The documents of a cache to be written.
struct CacheDocuments {
  oci::Descriptor config;  ///< with its text as `data`
  oci::Document manifest;
};
CacheDocuments documents_of(const CacheSet& set, const CacheForm& form);

}  // namespace lade::buildcache
