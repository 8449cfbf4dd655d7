// Names of the formats, and how layers in them are known.
#include "libimage/seekable/annotations.h"
#include "libimage/seekable/seekable.h"

namespace lade {

std::optional<SeekableFormat> seekable_format_named(std::string_view name) noexcept {
  if (name == "zstd:chunked") return SeekableFormat::zstd_chunked;
  if (name == "estargz") return SeekableFormat::estargz;
  return std::nullopt;
}

std::string_view codec_of(SeekableFormat format) noexcept {
  return format == SeekableFormat::zstd_chunked ? "zstd" : "gzip";
}

std::optional<SeekableFormat> seekable_format_of(const oci::Descriptor& layer) {
  if (!layer.annotations) return std::nullopt;
  const std::string_view codec = oci::layer_codec(layer.media_type);
  const auto has = [&](std::string_view key) {
    return layer.annotations->contains(std::string(key));
  };
  if (codec == "zstd" && (has(seekable::kChunkedChecksum) || has(seekable::kSnapshotterChecksum))) {
    return SeekableFormat::zstd_chunked;
  }
  if (codec == "gzip" && has(seekable::kStargzDigest)) return SeekableFormat::estargz;
  return std::nullopt;
}

}  // namespace lade
