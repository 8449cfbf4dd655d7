/// Layers that say where each file is: zstd:chunked (as containers/storage writes it) and eStargz.
///
/// Both are ordinary layers to everyone else: a zstd or gzip stream that decompresses to a tar.
/// Each file, or each chunk of a large one, is a frame or member of its own, and a table of
/// contents at the end tells where they are, so that one file can be read by one Range request. The
/// formats are described in docs/design/0009-seekable-layers.md.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "libimage/compress/codec.h"
#include "libimage/digest/digest.h"
#include "libimage/io/stream.h"
#include "libimage/oci/descriptor.h"

namespace lade {

enum class SeekableFormat { zstd_chunked, estargz };

/// "zstd:chunked" and "estargz": how options name the formats; nullopt for another name.
std::optional<SeekableFormat> seekable_format_named(std::string_view name) noexcept;

/// The codec that reads layers of the format: "zstd" or "gzip".
std::string_view codec_of(SeekableFormat format) noexcept;

/// The format that the annotations of `layer` promise and its media type allows; nullopt: none.
std::optional<SeekableFormat> seekable_format_of(const oci::Descriptor& layer);

/// What write_seekable() made.
struct SeekableLayer {
  /// For the layer's descriptor: where the table is and its digest. Empty if there is no table.
  oci::Annotations annotations = {};
  /// Of the tar inside, where that is another than the one read (eStargz keeps its table in the
  /// tar); nullopt: the diff ID has not changed.
  std::optional<DiffId> diff_id = {};
  std::uint64_t uncompressed_bytes = 0;
  /// Why there is no table, for people; empty if there is one. The layer is then plain zstd or gzip
  /// and decompresses to the bytes that were read.
  std::string plain_because = {};
};

/// Compresses the tar stream `tar`, read once and to its end, into `out` in `format`; finishes
/// `out`. The same input and level give the same bytes, whatever the threads.
///
/// A tar that the formats cannot describe faithfully becomes an ordinary layer with a reason: what
/// the strict reader of tars refuses, sparse files, global PAX headers, the same path twice
/// (zstd:chunked), names that are not UTF-8.
///
/// Memory: the buffers of the compression (some 4.5 MiB for each of 2 * threads + 3), and what
/// grows with the number of entries: some 300 bytes an entry for zstd:chunked, whose table is kept
/// compressed beside the paths, and some 900 for eStargz, whose table is kept as text and is there
/// three times at the end; for each chunk beyond a file's first, a third of that.
///
/// A level that the codec does not have is Error{invalid_argument}; errors of `tar` and `out` leave
/// as they are.
SeekableLayer write_seekable(SeekableFormat format, Source& tar, Sink& out,
                             const CompressOptions& options);

}  // namespace lade
