/// A build cache as a value: what steps gave, and the blobs of the layers.
#pragma once
#include <cstddef>
#include <map>
#include <set>

#include "libimage/oci/cache_document.h"
#include "libimage/oci/descriptor.h"

namespace lade::buildcache {

struct CacheSet {
  oci::CacheDocument document = {};
  /// Of the document's layers, as the cache lists them. A layer without one cannot be had.
  std::map<Digest, oci::Descriptor> blobs = {};
};

/// Everything that either of them knows, each thing once, in an order that follows from the content
/// alone: merged(a, b) and merged(b, a) are equal but for members that only one spelling can have.
/// Of two results that are the same layers the newer date is kept. Layers without a blob are left
/// out, with the results that need them.
CacheSet merged(const CacheSet& a, const CacheSet& b);

struct CacheLimits {
  std::size_t bytes = oci::kMaxSharedCacheBytes;  ///< of the document
  std::size_t blobs = 9'000;  ///< a manifest of more than 10,000 entries is refused by readers
};

/// Leaves out the records that were not used for the longest time until the limits are held, but
/// none whose digest is in `keep`; returns how many. What others need stays with them.
std::size_t drop_oldest(CacheSet& set, const CacheLimits& limits, const std::set<Digest>& keep);

/// Leaves out the layers whose blob is in `gone`, those on top of them, and all results that need
/// them.
void drop_blobs(CacheSet& set, const std::set<Digest>& gone);

}  // namespace lade::buildcache
