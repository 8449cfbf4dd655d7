/// BuildKit's cache config (media type application/vnd.buildkit.cacheconfig.v0): which steps gave
/// which layers. A value, parse and serialise; no I/O.
#pragma once
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libimage/oci/descriptor.h"

namespace lade::oci {

inline constexpr std::string_view kCacheConfig = "application/vnd.buildkit.cacheconfig.v0";
/// Member of an image's config that holds the records of an inline cache: a string, the base64 of
/// their JSON.
inline constexpr std::string_view kInlineCacheMember = "moby.buildkit.cache.v0";
/// Annotations of a cache's layers.
inline constexpr std::string_view kDiffIdAnnotation = "containerd.io/uncompressed";
inline constexpr std::string_view kCreatedAtAnnotation = "buildkit/createdat";

/// What is read. BuildKit itself reads no more than kMaxSharedCacheBytes.
inline constexpr std::size_t kMaxCacheBytes = std::size_t{8} << 20U;
inline constexpr std::size_t kMaxSharedCacheBytes = std::size_t{1} << 20U;
inline constexpr std::size_t kMaxCacheLayers = 50'000;
inline constexpr std::size_t kMaxCacheRecords = 100'000;

/// A layer on top of another; equal blobs on different parents are different layers.
struct CacheLayer {
  Digest blob;
  std::optional<std::size_t> parent = {};  ///< index in CacheDocument::layers
  UnknownMembers unknown = {};             ///< "annotations" among them
  bool operator==(const CacheLayer&) const = default;
};

/// A result that is the stack of layers which ends with this one.
struct CacheResult {
  std::size_t layer = 0;
  std::string created_at = {};  ///< RFC 3339 as spelled; "" if absent
  UnknownMembers unknown = {};
  bool operator==(const CacheResult&) const = default;
};

/// A result that is these layers, whatever their parents.
struct CacheChain {
  std::vector<std::size_t> layers = {};
  std::string created_at = {};
  UnknownMembers unknown = {};
  bool operator==(const CacheChain&) const = default;
};

/// One of the records that may be an input of another.
struct CacheInput {
  std::size_t link = 0;       ///< index in CacheDocument::records
  std::string selector = {};  ///< which part of it is the input
  UnknownMembers unknown = {};
  bool operator==(const CacheInput&) const = default;
};

/// A step: what it is (`digest`), on which inputs (for each the alternatives), and what it gave.
struct CacheRecord {
  Digest digest;
  std::vector<std::vector<CacheInput>> inputs = {};
  std::vector<CacheResult> results = {};
  std::vector<CacheChain> chains = {};
  UnknownMembers unknown = {};
  bool operator==(const CacheRecord&) const = default;
};

/// Of a parsed document all indexes are in range, and neither parents nor inputs form a cycle.
struct CacheDocument {
  std::vector<CacheLayer> layers = {};
  std::vector<CacheRecord> records = {};
  UnknownMembers unknown = {};
  bool operator==(const CacheDocument&) const = default;
};

/// Throws Error{invalid_content} with the member's path, Error{limit_exceeded}.
CacheDocument parse_cache_document(std::string_view json);
/// The records of an inline cache: a JSON array, their layers being those of an image of `layers`
/// layers.
std::vector<CacheRecord> parse_cache_records(std::string_view json, std::size_t layers);

/// Compact JSON, members in BuildKit's order, then the unknown ones by name.
std::string serialise(const CacheDocument& document);
std::string serialise(const std::vector<CacheRecord>& records);

}  // namespace lade::oci
