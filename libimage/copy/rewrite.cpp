#include "libimage/copy/rewrite.h"

#include <array>
#include <string_view>
#include <utility>
#include <vector>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/copy/family.h"
#include "libimage/oci/image_config.h"

namespace lade {
namespace {

using oci::Annotations;
using oci::Descriptor;

/// Annotations of a layer that describe its compressed bytes: false after recompression.
constexpr std::array<std::string_view, 4> kBoundToBytes = {
    "io.github.containers.zstd-chunked.", "io.containers.zstd-chunked.",
    "containerd.io/snapshot/stargz/", "io.containers.estargz."};

void drop_bound_annotations(std::optional<Annotations>& annotations) {
  if (!annotations) return;
  std::erase_if(*annotations, [](const auto& annotation) {
    for (const std::string_view prefix : kBoundToBytes) {
      if (annotation.first.starts_with(prefix)) return true;
    }
    return false;
  });
}

/// BuildKit's attestations name the image that they are about in an annotation.
void replace_named_digests(std::optional<Annotations>& annotations,
                           const Replacements& replacements) {
  if (!annotations) return;
  const auto named = annotations->find("vnd.docker.reference.digest");
  if (named == annotations->end()) return;
  const std::optional<Digest> digest = Digest::try_parse(named->second);
  if (!digest) return;
  if (const auto found = replacements.find(*digest); found != replacements.end()) {
    named->second = found->second.digest.str();
  }
}

void replace(Descriptor& descriptor, const Replacements& replacements) {
  replace_named_digests(descriptor.annotations, replacements);
  const auto found = replacements.find(descriptor.digest);
  if (found == replacements.end()) return;
  if (descriptor.digest != found->second.digest) {
    descriptor.data.reset();
    drop_bound_annotations(descriptor.annotations);
  }
  descriptor.media_type = found->second.media_type;
  descriptor.digest = found->second.digest;
  descriptor.size = found->second.size;
  if (!found->second.annotations) return;
  if (!descriptor.annotations) descriptor.annotations.emplace();
  for (const auto& [name, value] : *found->second.annotations) {
    descriptor.annotations->insert_or_assign(name, value);
  }
}

template <typename Parsed>
oci::Document issued_again(const oci::Document& old, Parsed parsed) {
  std::string raw = oci::serialise(parsed);
  Descriptor descriptor = old.descriptor;
  const oci::MediaType media_type =
      parsed.media_type.empty() ? old.descriptor.media_type : parsed.media_type;
  const Descriptor fresh = oci::describe(media_type, raw);
  descriptor.media_type = fresh.media_type;
  descriptor.digest = fresh.digest;
  descriptor.size = fresh.size;
  descriptor.data.reset();
  return {std::move(descriptor), std::move(raw), std::move(parsed)};
}

/// The index in the other family; its entries say themselves what they became.
oci::Index with_own_type_of(oci::Index index, oci::Family family) {
  std::vector<Descriptor> entries;
  entries.swap(index.manifests);
  oci::Index out = oci::converted(index, family);
  out.manifests = std::move(entries);
  return out;
}

}  // namespace

std::string with_diff_ids(const std::string& json,
                          const std::vector<std::optional<DiffId>>& diff_ids) {
  oci::ImageConfig config = oci::parse_image_config(json);
  if (config.diff_ids.size() != diff_ids.size()) {
    throw Error(Errc::invalid_content, cat("config: ", config.diff_ids.size(), " diff IDs for ",
                                           diff_ids.size(), " layers"));
  }
  const oci::ImageConfig before = config;
  for (std::size_t i = 0; i < diff_ids.size(); ++i) {
    if (diff_ids[i]) config.diff_ids[i] = *diff_ids[i];
  }
  return config == before ? json : oci::serialise(config);
}

oci::Document reissued(const oci::Document& old, oci::Index index) {
  return issued_again(old, std::move(index));
}

oci::Document rewritten(const oci::Document& document, const Replacements& replacements,
                        const std::optional<oci::Family>& family) {
  const bool convert = family && converts(document, *family);
  if (const auto* manifest = std::get_if<oci::Manifest>(&document.parsed)) {
    oci::Manifest edited = *manifest;
    replace(edited.config, replacements);
    for (Descriptor& layer : edited.layers) replace(layer, replacements);
    if (edited.subject) replace(*edited.subject, replacements);
    if (convert) edited = oci::converted(edited, *family);
    return edited == *manifest ? document : issued_again(document, std::move(edited));
  }
  if (const auto* index = std::get_if<oci::Index>(&document.parsed)) {
    oci::Index edited = convert ? with_own_type_of(*index, *family) : *index;
    for (Descriptor& entry : edited.manifests) replace(entry, replacements);
    if (edited.subject) replace(*edited.subject, replacements);
    return edited == *index ? document : issued_again(document, std::move(edited));
  }
  return document;
}

}  // namespace lade
