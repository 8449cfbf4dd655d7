#include "libimage/oci/document.h"

#include <array>

#include "libimage/base/text.h"
#include "libimage/digest/hasher.h"
#include "libimage/oci/descriptor_json.h"
#include "libimage/oci/json_reader.h"
#include "libimage/oci/json_writer.h"

namespace lade::oci {
namespace {

constexpr std::string_view kArtifactManifest = "application/vnd.oci.artifact.manifest.v1+json";

/// Refuses members that belong to another kind of document, whatever they hold and however they
/// are spelled: a reader that looks at those would see another image under the same digest.
void refuse_members(const json::ObjectReader& object,
                    std::initializer_list<std::string_view> names) {
  for (const auto& [name, value] : object.members()) {
    const std::string lower = lower_case(name.substr(0, 20));
    for (const std::string_view refused : names) {
      if (lower == lower_case(refused)) {
        json::fail(object.path_of(name), "belongs to another kind of document: ambiguous");
      }
    }
  }
}

void check_schema_version(json::ObjectReader& object) {
  const std::int64_t version =
      json::integer_of(object.take_required("schemaVersion"), "schemaVersion", 0);
  if (version == 1) {
    throw Error(Errc::unsupported,
                "schemaVersion: is 1, Docker's old schema, which is read by copying only");
  }
  if (version != 2) json::fail("schemaVersion", cat("is ", version, ", not 2"));
}

/// The document's own media type, which must be one of its kind and what the pointer promised.
MediaType read_own_type(json::ObjectReader& object, std::string_view expected,
                        bool (*is_kind)(std::string_view) noexcept) {
  MediaType own = read_media_type(object, "mediaType");
  if (!expected.empty() && !is_kind(expected)) {
    json::fail("", cat("it was announced as ", quoted(expected)));
  }
  if (own.empty()) return own;
  if (!expected.empty() && own != expected) {
    json::fail("mediaType", cat("is ", quoted(own), ", but ", quoted(expected), " was announced"));
  }
  if (!is_kind(own)) {
    json::fail("mediaType", cat("is ", quoted(own), ", the type of another kind of document"));
  }
  return own;
}

std::vector<Descriptor> read_descriptors(json::ObjectReader& object, std::string_view name) {
  const std::string path = object.path_of(name);
  json::Array& items = json::array_of(object.take_required(name), path, kMaxDescriptors);
  std::vector<Descriptor> out;
  out.reserve(items.size());
  for (std::size_t i = 0; i < items.size(); ++i) {
    out.push_back(read_descriptor(items[i], json::element(path, i)));
  }
  return out;
}

std::optional<Descriptor> read_subject(json::ObjectReader& object) {
  json::Value* subject = object.take_set("subject");
  if (subject == nullptr) return std::nullopt;
  return read_descriptor(*subject, object.path_of("subject"));
}

Manifest manifest_from(json::Value& value, std::string_view expected) {
  json::ObjectReader object(value, "");
  MediaType own = read_own_type(object, expected, is_manifest);
  check_schema_version(object);
  refuse_members(object, {"manifests", "fsLayers", "history", "signatures", "blobs"});
  Manifest out{.config = read_descriptor(object.take_required("config"), "config")};
  out.media_type = std::move(own);
  out.artifact_type = read_media_type(object, "artifactType");
  out.layers = read_descriptors(object, "layers");
  out.subject = read_subject(object);
  out.annotations = read_annotations(object);
  out.unknown = object.rest(
      {"schemaVersion", "mediaType", "artifactType", "config", "layers", "subject", "annotations"});
  return out;
}

Index index_from(json::Value& value, std::string_view expected) {
  json::ObjectReader object(value, "");
  Index out;
  out.media_type = read_own_type(object, expected, is_index);
  check_schema_version(object);
  refuse_members(object, {"config", "layers", "fsLayers", "history", "signatures", "blobs"});
  out.artifact_type = read_media_type(object, "artifactType");
  out.manifests = read_descriptors(object, "manifests");
  out.subject = read_subject(object);
  out.annotations = read_annotations(object);
  out.unknown = object.rest(
      {"schemaVersion", "mediaType", "artifactType", "manifests", "subject", "annotations"});
  return out;
}

MediaType type_of(json::Value& value) {
  json::ObjectReader object(value, "");
  MediaType own;
  // A copy: parsing proper reads the same member again.
  if (json::Value* member = object.take_set("mediaType")) {
    json::Value copy = *member;
    own = json::checked_string(copy, "mediaType");
    if (!own.empty() && !is_media_type(own)) {
      json::fail("mediaType", cat(quoted(own.substr(0, 200)), " is not a media type (RFC 6838)"));
    }
  }
  const bool has_manifests = object.take("manifests") != nullptr;
  const bool has_layers = object.take("layers") != nullptr;
  if (has_manifests && (has_layers || object.take("config") != nullptr)) {
    json::fail("", "has both 'manifests' and 'layers' or 'config': ambiguous");
  }
  if (!own.empty()) return own;
  if (has_manifests) return MediaType(kImageIndex);
  if (has_layers) return MediaType(kImageManifest);
  if (object.take("fsLayers") != nullptr) {
    return MediaType(object.take("signatures") != nullptr ? kDockerSchema1Signed : kDockerSchema1);
  }
  return {};
}

constexpr auto kManifestContext = [] { return "manifest"; };
constexpr auto kIndexContext = [] { return "index"; };
constexpr auto kDocumentContext = [] { return "document"; };

void refuse_unsupported_type(std::string_view media_type) {
  // Carrying it untouched would leave its blobs behind.
  if (media_type == kArtifactManifest) {
    throw Error(Errc::unsupported,
                "artifact manifests of release candidates of image-spec 1.1 are not supported");
  }
}

struct TypePair {
  std::string_view docker, oci;
};
constexpr std::array<TypePair, 7> kCounterparts = {{
    {kDockerManifest, kImageManifest},
    {kDockerManifestList, kImageIndex},
    {kDockerConfig, kImageConfig},
    {kDockerLayerGzip, kImageLayerGzip},
    {kDockerLayer, kImageLayer},
    {kDockerForeignLayerGzip, "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"},
    {"application/vnd.docker.image.rootfs.foreign.diff.tar", kNondistributableLayer},
}};

/// The counterpart of `media_type` in `family`. OCI documents may hold any type, so that what is
/// not Docker's stays as it is.
MediaType counterpart(const MediaType& media_type, Family family, std::string_view what) {
  for (const auto& [docker, oci] : kCounterparts) {
    if (media_type == docker || media_type == oci) {
      return MediaType(family == Family::docker ? docker : oci);
    }
  }
  if (family == Family::oci) {
    return media_type == "application/vnd.docker.image.rootfs.diff.tar.zstd"
               ? MediaType(kImageLayerZstd)
               : media_type;
  }
  throw Error(Errc::unsupported, cat("convert to Docker's format: ", what, " of type ",
                                     quoted(media_type), " has no counterpart there"));
}

void refuse_artifact(Family family, const std::string& artifact_type,
                     const std::optional<Descriptor>& subject) {
  if (family != Family::docker) return;
  if (!artifact_type.empty() || subject) {
    throw Error(Errc::unsupported,
                cat("convert to Docker's format: there is no ",
                    artifact_type.empty() ? "subject" : "artifactType", " in it"));
  }
}

}  // namespace

Manifest parse_manifest(std::string_view json, std::string_view expected) {
  return with_context(kManifestContext, [&] {
    json::Value value = json::parse(json, kMaxManifestBytes);
    return manifest_from(value, expected);
  });
}

Index parse_index(std::string_view json, std::string_view expected) {
  return with_context(kIndexContext, [&] {
    json::Value value = json::parse(json, kMaxManifestBytes);
    return index_from(value, expected);
  });
}

MediaType sniff_media_type(std::string_view json) {
  return with_context(kDocumentContext, [&] {
    json::Value value = json::parse(json, kMaxManifestBytes);
    return type_of(value);
  });
}

Document parse_document(Descriptor descriptor, std::string raw) {
  if (descriptor.media_type.empty()) descriptor.media_type = sniff_media_type(raw);
  refuse_unsupported_type(descriptor.media_type);
  Document out{std::move(descriptor), std::move(raw), Unknown{}};
  if (is_manifest(out.descriptor.media_type)) {
    out.parsed = parse_manifest(out.raw, out.descriptor.media_type);
  } else if (is_index(out.descriptor.media_type)) {
    out.parsed = parse_index(out.raw, out.descriptor.media_type);
  }
  return out;
}

std::string serialise(const Manifest& manifest) {
  json::ObjectWriter out;
  out.raw("schemaVersion", "2");
  out.string_if("mediaType", manifest.media_type);
  out.string_if("artifactType", manifest.artifact_type);
  out.raw("config", write_descriptor(manifest.config));
  out.list("layers", manifest.layers,
           [](std::string& text, const Descriptor& layer) { text += write_descriptor(layer); });
  if (manifest.subject) out.raw("subject", write_descriptor(*manifest.subject));
  if (manifest.annotations) out.map("annotations", *manifest.annotations);
  out.unknown(manifest.unknown);
  return out.finish();
}

std::string serialise(const Index& index) {
  json::ObjectWriter out;
  out.raw("schemaVersion", "2");
  out.string_if("mediaType", index.media_type);
  out.string_if("artifactType", index.artifact_type);
  out.list("manifests", index.manifests,
           [](std::string& text, const Descriptor& entry) { text += write_descriptor(entry); });
  if (index.subject) out.raw("subject", write_descriptor(*index.subject));
  if (index.annotations) out.map("annotations", *index.annotations);
  out.unknown(index.unknown);
  return out.finish();
}

Descriptor describe(MediaType media_type, std::string_view raw) {
  return {.media_type = std::move(media_type), .digest = sha256_of(raw), .size = raw.size()};
}

std::vector<Descriptor> successors(const Document& document) {
  if (const auto* manifest = std::get_if<Manifest>(&document.parsed)) {
    std::vector<Descriptor> out = {manifest->config};
    out.insert(out.end(), manifest->layers.begin(), manifest->layers.end());
    return out;
  }
  if (const auto* index = std::get_if<Index>(&document.parsed)) return index->manifests;
  return {};
}

Manifest converted(const Manifest& manifest, Family family) {
  refuse_artifact(family, manifest.artifact_type, manifest.subject);
  Manifest out = manifest;
  out.media_type = MediaType(family == Family::docker ? kDockerManifest : kImageManifest);
  if (family == Family::docker && !is_image_config(manifest.config.media_type)) {
    throw Error(Errc::unsupported, cat("convert to Docker's format: config of type ",
                                       quoted(manifest.config.media_type), " is no image's"));
  }
  out.config.media_type = counterpart(manifest.config.media_type, family, "config");
  for (Descriptor& layer : out.layers) {
    layer.media_type = counterpart(layer.media_type, family, "layer");
  }
  return out;
}

Index converted(const Index& index, Family family) {
  refuse_artifact(family, index.artifact_type, index.subject);
  Index out = index;
  out.media_type = MediaType(family == Family::docker ? kDockerManifestList : kImageIndex);
  for (Descriptor& entry : out.manifests) {
    entry.media_type = counterpart(entry.media_type, family, "manifest");
  }
  return out;
}

}  // namespace lade::oci
