/// Tables of contents of seekable layers as values, and single files read by them.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "libimage/digest/digest.h"
#include "libimage/io/stream.h"
#include "libimage/layer/entry.h"
#include "libimage/oci/descriptor.h"

namespace lade {

/// Bytes of a stored blob.
struct BlobRange {
  std::uint64_t offset = 0;
  std::uint64_t size = 0;
  bool operator==(const BlobRange&) const = default;
};

enum class TableFormat {
  zstd_chunked,              ///< zstd:chunked as containers/storage writes it
  zstd_chunked_snapshotter,  ///< zstd:chunked as stargz-snapshotter writes it
  estargz,
  stargz,  ///< what eStargz came from: no digests
};

/// A piece of a file: one frame or member, or part of one.
struct TableChunk {
  std::uint64_t file_offset = 0;
  std::uint64_t size = 0;          ///< bytes of the file
  BlobRange stored = {};           ///< the compressed bytes, perhaps with more behind them
  std::uint64_t inner_offset = 0;  ///< decompressed bytes of `stored` in front of the chunk
  std::optional<Digest> digest = {};
  bool zeros = false;  ///< nothing but zeros: `stored` need not be read
  bool operator==(const TableChunk&) const = default;
};

struct TableEntry {
  std::string path;                                ///< as spelled
  LayerEntry::Kind kind = LayerEntry::Kind::file;  ///< `file` or `hardlink`; whiteouts are files
  Attributes attributes = {};
  std::string link_to = {};             ///< hard links: as spelled
  std::optional<Digest> digest = {};    ///< of a regular file's content
  std::vector<TableChunk> chunks = {};  ///< of a regular file, in order: they hold all its bytes
  bool operator==(const TableEntry&) const = default;
};

struct TableOfContents {
  TableFormat format = TableFormat::estargz;
  std::vector<TableEntry> entries = {};
  BlobRange stored = {};  ///< the table itself
  /// True if an annotation of the layer's descriptor vouches for the table; false: whoever stored
  /// the blob could have written any table.
  bool verified = false;
  std::optional<BlobRange> tar_split = {};
  std::optional<Digest> tar_split_digest = {};  ///< of its compressed bytes
};

/// What a hostile table may cost; each exceeded limit is Error{limit_exceeded} that names it.
struct TableLimits {
  std::uint64_t max_table_bytes = std::uint64_t{150} << 20U;  ///< compressed, and as text
  std::uint64_t max_entries = 1'000'000;                      ///< chunks included
  std::size_t max_path_bytes = std::size_t{64} * 1024;
  std::size_t max_depth = 1000;
};

/// `size` bytes of a blob from `offset` on; what it does not give is Error{invalid_content}.
using ReadRange = std::function<std::unique_ptr<Source>(std::uint64_t offset, std::uint64_t size)>;

/// The table of contents of `layer`, found by its annotations or, without them, by the footer at
/// its end; nullopt if it has none. The digest in the annotations is verified. One or two reads of
/// `read`.
///
/// The table is checked: every chunk lies in front of the table and overlaps no other, the chunks
/// of a file hold exactly its bytes, numbers and names are within bounds. Error{invalid_content},
/// Error{digest_mismatch}, Error{limit_exceeded}, Error{unsupported} for an unknown type. What it
/// says is not compared with the tar: both describe the layer, and whoever reads both must check.
std::optional<TableOfContents> read_table_of_contents(const oci::Descriptor& layer,
                                                      const ReadRange& read,
                                                      const TableLimits& limits = {});

/// The bytes of `chunk`, verified where it has a digest: read them to the end. `read` must outlive
/// the source.
std::unique_ptr<Source> open_chunk(TableFormat format, const TableChunk& chunk,
                                   const ReadRange& read);

/// The content of a regular file, verified by its digest and those of its chunks, as far as the
/// table has them. `entry` and `read` must outlive the source.
std::unique_ptr<Source> open_file(TableFormat format, const TableEntry& entry,
                                  const ReadRange& read);

}  // namespace lade
