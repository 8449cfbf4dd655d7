#include "libimage/oci/media_type.h"

#include <algorithm>
#include <array>

#include "libimage/base/error.h"
#include "libimage/base/text.h"

namespace lade::oci {
namespace {

struct LayerType {
  std::string_view media_type;
  std::string_view codec;
  bool distributable;
};

// Docker's types with zstd and the foreign one without compression are containerd's additions:
// read, never chosen.
constexpr std::array<LayerType, 11> kLayerTypes = {{
    {kImageLayer, "identity", true},
    {kImageLayerGzip, "gzip", true},
    {kImageLayerZstd, "zstd", true},
    {kNondistributableLayer, "identity", false},
    {"application/vnd.oci.image.layer.nondistributable.v1.tar+gzip", "gzip", false},
    {"application/vnd.oci.image.layer.nondistributable.v1.tar+zstd", "zstd", false},
    {kDockerLayerGzip, "gzip", true},
    {kDockerLayer, "identity", true},
    {"application/vnd.docker.image.rootfs.diff.tar.zstd", "zstd", true},
    {kDockerForeignLayerGzip, "gzip", false},
    {"application/vnd.docker.image.rootfs.foreign.diff.tar", "identity", false},
}};

constexpr std::string_view kEncryptedSuffix = "+encrypted";

const LayerType* layer_type(std::string_view media_type) noexcept {
  if (is_encrypted(media_type)) media_type.remove_suffix(kEncryptedSuffix.size());
  const auto found =
      std::find_if(kLayerTypes.begin(), kLayerTypes.end(),
                   [&](const LayerType& type) { return type.media_type == media_type; });
  return found == kLayerTypes.end() ? nullptr : &*found;
}

bool is_alnum(char c) noexcept {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/// RFC 6838 section 4.2, restricted-name.
bool is_restricted_name(std::string_view text) noexcept {
  return !text.empty() && text.size() <= 127 && is_alnum(text[0]) &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return is_alnum(c) || std::string_view("!#$&-^_.+").find(c) != std::string_view::npos;
         });
}

}  // namespace

bool is_manifest(std::string_view media_type) noexcept {
  return media_type == kImageManifest || media_type == kDockerManifest;
}

bool is_index(std::string_view media_type) noexcept {
  return media_type == kImageIndex || media_type == kDockerManifestList;
}

bool is_schema1(std::string_view media_type) noexcept {
  return media_type == kDockerSchema1 || media_type == kDockerSchema1Signed;
}

bool is_image_config(std::string_view media_type) noexcept {
  return media_type == kImageConfig || media_type == kDockerConfig;
}

bool is_layer(std::string_view media_type) noexcept { return layer_type(media_type) != nullptr; }

bool is_nondistributable(std::string_view media_type) noexcept {
  const LayerType* type = layer_type(media_type);
  return type != nullptr && !type->distributable;
}

bool is_encrypted(std::string_view media_type) noexcept {
  return media_type.ends_with(kEncryptedSuffix);
}

std::string_view layer_codec(std::string_view media_type) noexcept {
  const LayerType* type = is_encrypted(media_type) ? nullptr : layer_type(media_type);
  return type == nullptr ? std::string_view() : type->codec;
}

MediaType layer_media_type(Family family, std::string_view codec) {
  if (family == Family::oci) {
    if (codec == "identity") return MediaType(kImageLayer);
    if (codec == "gzip") return MediaType(kImageLayerGzip);
    if (codec == "zstd") return MediaType(kImageLayerZstd);
  } else {
    if (codec == "identity") return MediaType(kDockerLayer);
    if (codec == "gzip") return MediaType(kDockerLayerGzip);
  }
  throw Error(Errc::unsupported, cat(family == Family::oci ? "OCI" : "Docker",
                                     " manifests have no layer type for codec ", quoted(codec)));
}

bool is_media_type(std::string_view text) noexcept {
  const std::size_t slash = text.find('/');
  return slash != std::string_view::npos && is_restricted_name(text.substr(0, slash)) &&
         is_restricted_name(text.substr(slash + 1));
}

}  // namespace lade::oci
