#pragma once
#include <string>
#include <string_view>

namespace lade::oci {

/// RFC 6838 media type, kept as the document spelled it.
using MediaType = std::string;

inline constexpr std::string_view kImageManifest = "application/vnd.oci.image.manifest.v1+json";
inline constexpr std::string_view kImageIndex = "application/vnd.oci.image.index.v1+json";
inline constexpr std::string_view kImageConfig = "application/vnd.oci.image.config.v1+json";
inline constexpr std::string_view kImageLayer = "application/vnd.oci.image.layer.v1.tar";
inline constexpr std::string_view kImageLayerGzip = "application/vnd.oci.image.layer.v1.tar+gzip";
inline constexpr std::string_view kImageLayerZstd = "application/vnd.oci.image.layer.v1.tar+zstd";
inline constexpr std::string_view kNondistributableLayer =
    "application/vnd.oci.image.layer.nondistributable.v1.tar";
inline constexpr std::string_view kEmptyJson = "application/vnd.oci.empty.v1+json";
inline constexpr std::string_view kDockerManifest =
    "application/vnd.docker.distribution.manifest.v2+json";
inline constexpr std::string_view kDockerManifestList =
    "application/vnd.docker.distribution.manifest.list.v2+json";
inline constexpr std::string_view kDockerConfig = "application/vnd.docker.container.image.v1+json";
inline constexpr std::string_view kDockerLayerGzip =
    "application/vnd.docker.image.rootfs.diff.tar.gzip";
inline constexpr std::string_view kDockerLayer = "application/vnd.docker.image.rootfs.diff.tar";
inline constexpr std::string_view kDockerForeignLayerGzip =
    "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip";
inline constexpr std::string_view kDockerSchema1 =
    "application/vnd.docker.distribution.manifest.v1+json";
inline constexpr std::string_view kDockerSchema1Signed =
    "application/vnd.docker.distribution.manifest.v1+prettyjws";

/// True for the OCI or Docker image manifest.
bool is_manifest(std::string_view media_type) noexcept;
/// True for the OCI index or Docker manifest list.
bool is_index(std::string_view media_type) noexcept;
/// True for Docker's schema 1, signed or not.
bool is_schema1(std::string_view media_type) noexcept;
/// True for the OCI or Docker image config.
bool is_image_config(std::string_view media_type) noexcept;
/// True for every OCI and Docker layer type, distributable or not, encrypted or not.
bool is_layer(std::string_view media_type) noexcept;
/// True for layers that should not be uploaded (OCI nondistributable, Docker foreign).
bool is_nondistributable(std::string_view media_type) noexcept;
/// True for a media type that ends in "+encrypted".
bool is_encrypted(std::string_view media_type) noexcept;
/// Name of the codec that a layer's media type promises: "identity", "gzip", "zstd"; "" for an
/// unknown type and for an encrypted one, whose stored bytes no codec reads.
std::string_view layer_codec(std::string_view media_type) noexcept;
/// The layer type for `codec` ("identity", "gzip", "zstd") in the OCI or the Docker family; Docker
/// has no zstd: Error{unsupported}.
enum class Family { oci, docker };
MediaType layer_media_type(Family family, std::string_view codec);
/// True if `text` obeys RFC 6838's grammar type/subtype (parameters not allowed).
bool is_media_type(std::string_view text) noexcept;

}  // namespace lade::oci
