/// How documents change when their blobs did: pure functions, no I/O.
#pragma once
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "libimage/oci/document.h"

namespace lade {

/// Digest at the source to descriptor at the destination (media type, digest, size, annotations to
/// add), for what changed.
using Replacements = std::map<Digest, oci::Descriptor>;

/// The config `json` of an image with other diff IDs: `diff_ids` has one for each layer, unset
/// where it stays. The same bytes if none changes; Error{invalid_content} if the config has not as
/// many.
std::string with_diff_ids(const std::string& json,
                          const std::vector<std::optional<DiffId>>& diff_ids);

/// The document that `index` makes, under the annotations and platform of `old`'s descriptor.
oci::Document reissued(const oci::Document& old, oci::Index index);

/// `document` with every descriptor (and every annotation that names a digest) replaced, converted
/// to `family` if set and if it is of a kind that converts(). Annotations that speak of the old
/// bytes (seekable formats' tables of contents) are dropped with them. Returns the same bytes if
/// nothing changes.
oci::Document rewritten(const oci::Document& document, const Replacements& replacements,
                        const std::optional<oci::Family>& family);

}  // namespace lade
