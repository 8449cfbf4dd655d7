#include "libimage/validate/check_document.h"

#include <algorithm>
#include <array>

#include "libimage/base/base64.h"
#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/base/timestamp.h"
#include "libimage/digest/hasher.h"
#include "libimage/oci/document.h"
#include "libimage/validate/check_parts.h"
#include "libimage/validate/json_check.h"

namespace lade::validate {
namespace {

constexpr std::string_view kEmptyDigest =
    "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";

bool is_one_of(char c, std::string_view set) { return set.find(c) != std::string_view::npos; }
bool is_lower_alnum(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }
bool is_alnum(char c) { return is_lower_alnum(c) || (c >= 'A' && c <= 'Z'); }

/// descriptor.md, "Digests": the grammar.
bool is_digest(std::string_view text) {
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos) return false;
  const std::string_view algorithm = text.substr(0, colon);
  const std::string_view encoded = text.substr(colon + 1);
  bool after_letter = false;
  for (const char c : algorithm) {
    const bool letter = is_lower_alnum(c);
    if (!letter && (!after_letter || !is_one_of(c, "+._-"))) return false;
    after_letter = letter;
  }
  return after_letter && !encoded.empty() &&
         std::all_of(encoded.begin(), encoded.end(),
                     [](char c) { return is_alnum(c) || is_one_of(c, "=_-"); });
}

/// The size, if it is one.
std::optional<std::uint64_t> check_size(Object& in, const std::string& path, const Notes& notes) {
  Value* value = member(in, "size");
  const auto* number = value->as<oci::json::Number>();
  const std::optional<std::uint64_t> size =
      number == nullptr ? std::nullopt : parse_decimal(number->spelling);
  if (!size || *size > static_cast<std::uint64_t>(INT64_MAX)) {
    notes.add("descriptor-size", below(path, "size"), "is no whole number from 0 to 2^63 - 1");
    return std::nullopt;
  }
  return size;
}

void check_urls(Object& in, const std::string& path, const Notes& notes) {
  check_texts(in, "urls", path, "descriptor-urls", Null::refused, notes);
  Value* value = member(in, "urls");
  Array* list = value == nullptr ? nullptr : value->as<Array>();
  for (std::size_t i = 0; list != nullptr && i < list->size(); ++i) {
    const auto* text = (*list)[i].as<std::string>();
    if (text != nullptr && !oci::is_uri(*text)) {
      notes.add("descriptor-url-syntax", item(below(path, "urls"), i),
                cat(quoted(*text), " is no absolute URI"));
    }
  }
}

void check_data(Object& in, const std::string& path, const oci::Descriptor& of,
                const Notes& notes) {
  const std::string* text = text_member(in, "data", path, "descriptor-data", notes);
  if (text == nullptr) return;
  const auto bytes = from_base64(*text);
  if (!bytes) {
    notes.add("descriptor-data", below(path, "data"), "is no base64");
  } else if (bytes->size() != of.size) {
    notes.add("descriptor-data", below(path, "data"),
              cat("has ", bytes->size(), " bytes, the descriptor says ", of.size));
  } else if (of.digest.algorithm() == "sha256" && sha256_of(*bytes) != of.digest) {
    notes.add("descriptor-data", below(path, "data"), "is not what the digest names");
  }
}

void check_subject(Object& in, const Notes& notes) {
  if (member(in, "subject") == nullptr) return;
  Object* subject = object_member(in, "subject", "", "subject", notes);
  if (subject == nullptr) return;
  (void)check_descriptor(*subject, "subject", notes);
}

/// schemaVersion and mediaType; the version as it is spelled: 2.0 is no integer to many programs.
void check_head(Object& in, std::string_view media_type, const Notes& notes) {
  if (require_member(in, "schemaVersion", "", "schema-version", notes)) {
    const auto* number = member(in, "schemaVersion")->as<oci::json::Number>();
    if (number == nullptr || number->spelling != "2") {
      notes.add("schema-version", "schemaVersion", "is not the number 2");
    }
  }
  const std::string* type = text_member(in, "mediaType", "", "descriptor-media-type", notes);
  if (type == nullptr) return;
  if (!oci::is_media_type(*type)) {
    notes.add("descriptor-media-type", "mediaType", cat(quoted(*type), " is no media type"));
  } else if (!media_type.empty() && *type != media_type) {
    notes.add("document-media-type", "mediaType",
              cat("is ", quoted(*type), ", the descriptor says ", quoted(media_type)));
  }
}

void check_empty_descriptor(const oci::Descriptor& blob, const std::string& path,
                            const Notes& notes) {
  if (blob.media_type != oci::kEmptyJson) return;
  if (blob.digest.str() != kEmptyDigest || blob.size != 2) {
    notes.add("empty-descriptor", path, cat("is of ", blob.size, " bytes, ", blob.digest.str()));
  }
}

/// artifactType: present where the config says nothing.
void check_artifact_type(Object& in, const std::optional<oci::Descriptor>& config,
                         const Notes& notes) {
  const std::string* type = text_member(in, "artifactType", "", "artifact-type", notes);
  if (type != nullptr && !oci::is_media_type(*type)) {
    notes.add("artifact-type", "artifactType", cat(quoted(*type), " is no media type"));
  }
  if (config && config->media_type == oci::kEmptyJson && member(in, "artifactType") == nullptr) {
    notes.add("artifact-type", "artifactType", "is missing, and the config is the empty one");
  }
}

void check_layer_types(const Links& links, const Notes& notes) {
  if (!links.config || !oci::is_image_config(links.config->media_type)) return;
  for (std::size_t i = 0; i < links.layers.size(); ++i) {
    const std::string& type = links.layers[i].media_type;
    const std::string path = below(item("layers", i), "mediaType");
    if (oci::is_nondistributable(type)) {
      notes.add("layer-nondistributable", path, cat(quoted(type), " is deprecated"));
    } else if (!oci::is_layer(type)) {
      notes.add("layer-media-type", path, cat(quoted(type), " is no layer's"));
    }
  }
}

void check_manifest(Object& in, std::string_view media_type, Links& links, const Notes& notes) {
  check_head(in, media_type, notes);
  if (require_member(in, "config", "", "manifest-config", notes)) {
    if (Object* config = object_member(in, "config", "", "manifest-config", notes)) {
      links.config = check_descriptor(*config, "config", notes);
    }
  }
  check_artifact_type(in, links.config, notes);
  if (links.config) check_empty_descriptor(*links.config, "config", notes);
  if (require_member(in, "layers", "", "manifest-layers", notes)) {
    Array* layers = array_member(in, "layers", "", "manifest-layers", notes);
    if (layers != nullptr && layers->empty()) {
      notes.add("manifest-layers-empty", "layers", "is empty");
    }
    check_descriptors(layers, "layers", "manifest-layers", links.layers, notes);
    for (const oci::Descriptor& layer : links.layers) {
      check_empty_descriptor(layer, "layers", notes);
    }
  }
  check_layer_types(links, notes);
  check_subject(in, notes);
  check_annotations(in, "", notes);
}

void check_index(Object& in, std::string_view media_type, Links& links, const Notes& notes) {
  check_head(in, media_type, notes);
  if (require_member(in, "manifests", "", "index-manifests", notes)) {
    Array* manifests = array_member(in, "manifests", "", "index-manifests", notes);
    check_descriptors(manifests, "manifests", "index-manifests", links.manifests, notes);
    for (std::size_t i = 0; manifests != nullptr && i < manifests->size(); ++i) {
      if (auto* entry = (*manifests)[i].as<Object>()) {
        check_platform(*entry, item("manifests", i), notes);
      }
    }
  }
  check_artifact_type(in, std::nullopt, notes);
  check_subject(in, notes);
  check_annotations(in, "", notes);
}

void check_layout(Object& in, const Notes& notes) {
  if (!require_member(in, "imageLayoutVersion", "", "layout", notes)) return;
  const std::string* version = text_member(in, "imageLayoutVersion", "", "layout", notes);
  if (version != nullptr && *version != "1.0.0") {
    notes.add("layout", "imageLayoutVersion", cat("is ", quoted(*version)));
  }
}

}  // namespace

std::optional<oci::Descriptor> check_descriptor(Object& in, const std::string& path,
                                                const Notes& notes) {
  oci::Descriptor out{.digest = sha256_of("")};
  bool usable = true;
  if (require_member(in, "mediaType", path, "descriptor", notes)) {
    const std::string* type = text_member(in, "mediaType", path, "descriptor-media-type", notes);
    if (type != nullptr && !oci::is_media_type(*type)) {
      notes.add("descriptor-media-type", below(path, "mediaType"),
                cat(quoted(*type), " is no media type"));
    }
    if (type != nullptr) out.media_type = *type;
  }
  usable = require_member(in, "digest", path, "descriptor", notes) && usable;
  if (usable) {
    const std::string* digest = text_member(in, "digest", path, "descriptor-digest", notes);
    const auto parsed =
        digest == nullptr ? std::nullopt : check_digest(*digest, below(path, "digest"), notes);
    usable = parsed.has_value();
    if (parsed) out.digest = *parsed;
  }
  const bool has_size = require_member(in, "size", path, "descriptor", notes);
  const auto size = has_size ? check_size(in, path, notes) : std::nullopt;
  usable = usable && size;
  if (size) out.size = *size;
  check_urls(in, path, notes);
  if (usable) check_data(in, path, out, notes);
  const std::string* artifact = text_member(in, "artifactType", path, "artifact-type", notes);
  if (artifact != nullptr && !oci::is_media_type(*artifact)) {
    notes.add("artifact-type", below(path, "artifactType"),
              cat(quoted(*artifact), " is no media type"));
  }
  check_annotations(in, path, notes);
  return usable ? std::optional(out) : std::nullopt;
}

std::optional<Digest> check_digest(const std::string& text, const std::string& path,
                                   const Notes& notes) {
  if (!is_digest(text)) {
    notes.add("descriptor-digest", path, cat(quoted(text), " is no digest"));
    return std::nullopt;
  }
  const std::string_view algorithm = std::string_view(text).substr(0, text.find(':'));
  const std::string_view encoded = std::string_view(text).substr(algorithm.size() + 1);
  const std::size_t length = algorithm == "sha256" ? 64 : algorithm == "sha512" ? 128 : 0;
  if (length == 0) {
    if (algorithm != "blake3") {
      notes.add("descriptor-digest-algorithm", path, cat(quoted(algorithm), " is not registered"));
    }
  } else if (encoded.size() != length || !std::all_of(encoded.begin(), encoded.end(), [](char c) {
               return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
             })) {
    notes.add("descriptor-digest-encoding", path,
              cat("is not ", length, " lower-case hexadecimal digits"));
    return std::nullopt;
  }
  return Digest::try_parse(text);
}

void check_descriptors(Array* list, const std::string& path, std::string_view rule_id,
                       std::vector<oci::Descriptor>& out, const Notes& notes) {
  if (list == nullptr) return;
  for (std::size_t i = 0; i < list->size(); ++i) {
    auto* entry = (*list)[i].as<Object>();
    if (entry == nullptr) {
      notes.add(rule_id, item(path, i), cat("is ", (*list)[i].kind(), ", not a descriptor"));
      continue;
    }
    if (auto descriptor = check_descriptor(*entry, item(path, i), notes)) {
      if (Value* platform = member(*entry, "platform")) {
        if (auto* members = platform->as<Object>()) {
          const auto text = [&](std::string_view name) {
            Value* value = member(*members, name);
            const auto* found = value == nullptr ? nullptr : value->as<std::string>();
            return found == nullptr ? std::string() : *found;
          };
          descriptor->platform =
              oci::Platform{.architecture = text("architecture"), .os = text("os")};
        }
      }
      out.push_back(*std::move(descriptor));
    }
  }
}

std::optional<DocumentKind> kind_of(std::string_view media_type) noexcept {
  if (oci::is_manifest(media_type)) return DocumentKind::manifest;
  if (oci::is_index(media_type)) return DocumentKind::index;
  if (oci::is_image_config(media_type)) return DocumentKind::config;
  return std::nullopt;
}

CheckedDocument check_document(DocumentKind kind, std::string_view json,
                               std::string_view media_type, const std::string& place) {
  CheckedDocument out;
  const Notes notes(place, out.findings);
  if (json.size() > oci::kMaxManifestBytes) {
    notes.add("document-size", "", cat("has ", json.size(), " bytes"));
  }
  Value value;
  try {
    value = oci::json::parse(json, json.size());
  } catch (const Error& e) {
    notes.add("json", "", e.what());
    return out;
  }
  auto* object = value.as<Object>();
  if (object == nullptr) {
    notes.add("document", "", cat("is ", value.kind(), ", not an object"));
    return out;
  }
  switch (kind) {
    case DocumentKind::manifest:
      check_manifest(*object, media_type, out.links, notes);
      break;
    case DocumentKind::index:
      check_index(*object, media_type, out.links, notes);
      break;
    case DocumentKind::config:
      check_config(*object, out.config, notes);
      break;
    case DocumentKind::layout:
      check_layout(*object, notes);
      break;
  }
  return out;
}

}  // namespace lade::validate
