#include "libimage/copy/family.h"

#include <algorithm>

#include "libimage/base/text.h"

namespace lade {
namespace {

using oci::Document;
using oci::Family;

bool accepted(Family family, const Writer::Accepts& accepts) {
  return family == Family::oci ? accepts.oci : accepts.docker;
}

/// Docker's format has a type for what `codec` makes.
bool docker_has(std::string_view codec) {
  return codec.empty() || codec == "gzip" || codec == "estargz" || codec == "identity";
}

}  // namespace

std::optional<Family> family_of(const Document& document) {
  if (std::holds_alternative<oci::Unknown>(document.parsed)) return std::nullopt;
  return document.descriptor.media_type.starts_with("application/vnd.docker.") ? Family::docker
                                                                               : Family::oci;
}

bool is_image(const oci::Manifest& manifest) {
  return manifest.artifact_type.empty() && oci::is_image_config(manifest.config.media_type) &&
         std::all_of(manifest.layers.begin(), manifest.layers.end(),
                     [](const auto& layer) { return oci::is_layer(layer.media_type); });
}

bool converts(const Document& document, Family family) {
  const std::optional<Family> have = family_of(document);
  if (!have) return false;
  const auto* manifest = std::get_if<oci::Manifest>(&document.parsed);
  if (manifest != nullptr && family == Family::docker && !is_image(*manifest)) return false;
  return *have != family;
}

std::optional<Family> family_to_convert_to(const Document& root, const Writer::Accepts& accepts,
                                           const CopyOptions& options) {
  if (options.what == CopyOptions::What::index_only && options.family) {
    throw Error(Errc::invalid_argument,
                "an index alone cannot change its format: its images would not match");
  }
  if (options.other_entries == CopyOptions::OtherEntries::kept &&
      options.what == CopyOptions::What::platforms && options.family) {
    throw Error(Errc::invalid_argument, "a sparse index cannot change its format");
  }
  const std::optional<Family> have = family_of(root);
  if (!have) {
    if (!options.family) return std::nullopt;
    throw Error(Errc::unsupported,
                cat("media type ", quoted(root.descriptor.media_type), " cannot be converted"));
  }
  if (options.family) {
    if (!accepted(*options.family, accepts)) {
      throw Error(Errc::unsupported, "the destination cannot hold images of the requested format");
    }
    if (*options.family == Family::docker && !docker_has(options.layer_codec)) {
      throw Error(Errc::invalid_argument,
                  cat("Docker's format has no layers of ", options.layer_codec, ": use oci"));
    }
    return options.family;
  }
  Family wanted = *have;
  if (wanted == Family::docker && !docker_has(options.layer_codec)) wanted = Family::oci;
  if (!accepted(wanted, accepts)) wanted = wanted == Family::oci ? Family::docker : Family::oci;
  if (wanted == Family::docker && accepts.compressed_layers && !docker_has(options.layer_codec)) {
    throw Error(Errc::unsupported, cat("the destination holds images of Docker's format only, "
                                       "which has no layers of ",
                                       options.layer_codec));
  }
  return wanted == *have ? std::nullopt : std::optional(wanted);
}

}  // namespace lade
