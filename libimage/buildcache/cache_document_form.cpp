#include "libimage/buildcache/cache_document_form.h"

#include <utility>
#include <variant>
#include <vector>

#include "libimage/base/base64.h"
#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/oci/image_config.h"
#include "libimage/oci/json_value.h"

namespace lade::buildcache {
namespace {

constexpr std::size_t kMaxImages = 100;  // of an index whose inline caches are read

void read_config(Reader& reader, const oci::Descriptor& config, CacheSet& set) {
  const auto source = reader.open(config);
  set.document =
      oci::parse_cache_document(read_all(*source, oci::kMaxCacheBytes, "the build cache"));
}

void add_blob(CacheSet& set, const oci::Descriptor& blob) { set.blobs.emplace(blob.digest, blob); }

/// The cache inside an image's config, if there is one.
CacheSet read_inline(Reader& reader, const oci::Manifest& manifest) {
  CacheSet set;
  if (!oci::is_image_config(manifest.config.media_type)) return set;
  const auto source = reader.open(manifest.config);
  const oci::ImageConfig config =
      oci::parse_image_config(read_all(*source, oci::kMaxConfigBytes, "image config"));
  const auto member = config.unknown.find(std::string(oci::kInlineCacheMember));
  if (member == config.unknown.end()) return set;
  if (config.diff_ids.size() != manifest.layers.size())
    throw Error(Errc::invalid_content, cat("the image has ", manifest.layers.size(), " layers and ",
                                           config.diff_ids.size(), " diff IDs"));
  oci::json::Value value = oci::json::parse(member->second, oci::kMaxConfigBytes);
  const auto* text = value.as<std::string>();
  const auto records = text == nullptr ? std::nullopt : from_base64(*text);
  if (!records) throw Error(Errc::invalid_content, cat(oci::kInlineCacheMember, " is not base64"));
  set.document.records = oci::parse_cache_records(*records, manifest.layers.size());
  for (std::size_t i = 0; i < manifest.layers.size(); ++i) {
    oci::Descriptor blob = manifest.layers[i];
    if (!blob.annotations) blob.annotations.emplace();
    blob.annotations->insert_or_assign(std::string(oci::kDiffIdAnnotation),
                                       config.diff_ids[i].value.str());
    set.document.layers.push_back({.blob = blob.digest});
    if (i > 0) set.document.layers.back().parent = i - 1;
    add_blob(set, blob);
  }
  return set;
}

CacheSet read_inline(Reader& reader, const oci::Index& index) {
  CacheSet set;
  if (index.manifests.size() > kMaxImages)
    throw Error(Errc::limit_exceeded,
                cat("the index has ", index.manifests.size(), " entries, more than ", kMaxImages));
  for (const oci::Descriptor& entry : index.manifests) {
    if (!oci::is_manifest(entry.media_type)) continue;
    const oci::Document image = reader.document(entry);
    if (const auto* manifest = std::get_if<oci::Manifest>(&image.parsed))
      set = merged(set, read_inline(reader, *manifest));
  }
  return set;
}

oci::Family family_of(std::string_view media_type) {
  return media_type == oci::kDockerManifestList ? oci::Family::docker : oci::Family::oci;
}

oci::Descriptor with_family(oci::Descriptor blob, oci::Family family) {
  const std::string_view codec = oci::layer_codec(blob.media_type);
  if (codec.empty() || oci::is_nondistributable(blob.media_type)) return blob;
  if (family == oci::Family::docker && codec == "zstd") return blob;  // Docker has no type for it
  blob.media_type = oci::layer_media_type(family, codec);
  return blob;
}

template <typename Document>
oci::Document written(Document document) {
  std::string raw = oci::serialise(document);
  oci::Descriptor descriptor = oci::describe(document.media_type, raw);
  return {
      .descriptor = std::move(descriptor), .raw = std::move(raw), .parsed = std::move(document)};
}

}  // namespace

ReadCache read_cache(Reader& reader, const oci::Descriptor& root) {
  const oci::Document document = reader.document(root);
  ReadCache out;
  if (const auto* manifest = std::get_if<oci::Manifest>(&document.parsed)) {
    if (manifest->config.media_type != oci::kCacheConfig) {
      out.set = read_inline(reader, *manifest);
      return out;
    }
    out.form = CacheForm{};
    for (const oci::Descriptor& blob : manifest->layers) add_blob(out.set, blob);
    read_config(reader, manifest->config, out.set);
    return out;
  }
  const auto* index = std::get_if<oci::Index>(&document.parsed);
  if (index == nullptr)
    throw Error(Errc::invalid_content,
                cat("it is of type ", quoted(root.media_type), ": neither a cache nor an image"));
  const oci::Descriptor* config = nullptr;
  for (const oci::Descriptor& entry : index->manifests) {
    if (entry.media_type == oci::kCacheConfig) config = &entry;
  }
  if (config == nullptr) {
    out.set = read_inline(reader, *index);
    return out;
  }
  out.form = CacheForm{.image_manifest = false, .family = family_of(index->media_type)};
  for (const oci::Descriptor& entry : index->manifests) {
    if (&entry != config) add_blob(out.set, entry);
  }
  read_config(reader, *config, out.set);
  return out;
}

CacheDocuments documents_of(const CacheSet& set, const CacheForm& form) {
  std::string text = oci::serialise(set.document);
  oci::Descriptor config = oci::describe(oci::MediaType(oci::kCacheConfig), text);
  std::vector<oci::Descriptor> blobs;
  for (const auto& [digest, blob] : set.blobs) blobs.push_back(with_family(blob, form.family));
  if (!form.image_manifest) blobs.push_back(config);
  oci::Document manifest =
      form.image_manifest
          ? written(oci::Manifest{.config = config, .layers = std::move(blobs)})
          : written(oci::Index{.media_type = oci::MediaType(form.family == oci::Family::docker
                                                                ? oci::kDockerManifestList
                                                                : oci::kImageIndex),
                               .manifests = std::move(blobs)});
  config.data = std::move(text);
  return {.config = std::move(config), .manifest = std::move(manifest)};
}

}  // namespace lade::buildcache
