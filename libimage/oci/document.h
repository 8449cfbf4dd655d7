/// The JSON documents of an image: manifest, index. Values, parse and serialise; no I/O.
///
/// A parsed document that is only passed on is passed on as its raw bytes, never re-serialised: the
/// digest names the bytes. Re-serialising happens only when an edit was asked for, and keeps
/// members that are not known.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "libimage/oci/descriptor.h"

namespace lade::oci {

/// image-spec v1.1.1, manifest.md; Docker's schema 2 image manifest has the same shape.
struct Manifest {
  MediaType media_type =
      MediaType(kImageManifest);  ///< "" if the document has none (allowed by OCI)
  std::string artifact_type = {};
  Descriptor config;
  std::vector<Descriptor> layers = {};
  std::optional<Descriptor> subject = {};
  std::optional<Annotations> annotations = {};
  UnknownMembers unknown = {};
  bool operator==(const Manifest&) const = default;
};

/// image-spec v1.1.1, image-index.md; Docker's manifest list has the same shape.
struct Index {
  MediaType media_type = MediaType(kImageIndex);
  std::string artifact_type = {};
  std::vector<Descriptor> manifests = {};
  std::optional<Descriptor> subject = {};
  std::optional<Annotations> annotations = {};
  UnknownMembers unknown = {};
  bool operator==(const Index&) const = default;
};

/// A document of another type: an artifact's, one newer than this program, or Docker's schema 1
/// (libimage/oci/schema1.h). Carried untouched.
struct Unknown {
  bool operator==(const Unknown&) const = default;
};

/// A manifest-level document together with the bytes that its digest names.
struct Document {
  Descriptor descriptor;
  std::string raw;  ///< the truth
  std::variant<Manifest, Index, Unknown> parsed;
};

/// Limits on what is parsed. A manifest of more than 4 MiB need not be accepted by any registry
/// (distribution-spec v1.1.1, "Pushing Manifests"); deeper JSON than 64 levels and longer lists
/// only attack parsers.
inline constexpr std::uint64_t kMaxManifestBytes = std::uint64_t{4} * 1024 * 1024;
inline constexpr std::uint64_t kMaxConfigBytes = std::uint64_t{4} * 1024 * 1024;
inline constexpr std::size_t kMaxJsonDepth = 64;
inline constexpr std::size_t kMaxDescriptors =
    10'000;                                       ///< manifests of an index, layers of a manifest
inline constexpr std::size_t kMaxIndexDepth = 4;  ///< indexes within indexes

/// Parse errors are Error{invalid_content} with the member's path ("manifest: layers[3].size:
/// ..."), limits are Error{limit_exceeded}. Duplicate member names, text that is not UTF-8,
/// negative or fractional sizes, bad digests, `data` that does not match its digest and size, and
/// documents with both `manifests` and `layers`/`config` (one of GHSA-77vh-xpmg-72qh) are refused.
/// `expected` is the type that the pointer or the Content-Type promised, "" if none did; a
/// different `mediaType` member is refused.
Manifest parse_manifest(std::string_view json, std::string_view expected = {});
Index parse_index(std::string_view json, std::string_view expected = {});

/// Parses by `descriptor.media_type`; if that is empty, by the document's own mediaType, then by
/// its shape. Types that are neither manifest nor index give Unknown. Does not check size and
/// digest: the Reader did.
Document parse_document(Descriptor descriptor, std::string raw);

/// The media type that `json` itself claims, or its shape implies; "" if neither. Throws as the
/// parsers do.
MediaType sniff_media_type(std::string_view json);

/// Compact JSON, members in the specification's order, then the unknown ones sorted by name: same
/// value, same bytes.
std::string serialise(const Manifest& manifest);
std::string serialise(const Index& index);
std::string serialise(const Descriptor& descriptor);

/// Descriptor of `raw` (sha256).
Descriptor describe(MediaType media_type, std::string_view raw);

/// Everything that `document` points to and a copy of it must hold before it: config and layers, or
/// manifests. Not its subject. Empty for Unknown.
std::vector<Descriptor> successors(const Document& document);

/// Docker <-> OCI conversion of the document's own and its descriptors' media types; nothing else
/// changes. Error{unsupported} if a type has no counterpart (zstd layers or artifacts in Docker's).
Manifest converted(const Manifest& manifest, Family family);
Index converted(const Index& index, Family family);

}  // namespace lade::oci
