/// The last bytes of a seekable layer, which tell where its table of contents is. Internal to the
/// seekable module.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "libimage/seekable/table_of_contents.h"

namespace lade::seekable {

/// Bytes at the end of a blob that hold any footer.
inline constexpr std::size_t kLargestFooter = 72;

/// Where a table is.
struct TablePlace {
  TableFormat format = TableFormat::estargz;
  BlobRange table = {};                ///< the compressed table; eStargz: up to the footer
  std::uint64_t table_text_bytes = 0;  ///< uncompressed; 0: unknown
  std::optional<BlobRange> tar_split = {};
  std::uint64_t tar_split_text_bytes = 0;
};

/// What `tail`, the last bytes of a blob of `blob_size` bytes (kLargestFooter of them, or all),
/// says; nullopt if it is no footer. A footer that points outside the blob is
/// Error{invalid_content}.
std::optional<TablePlace> parse_footer(std::string_view tail, std::uint64_t blob_size);

/// A skippable zstd frame around `payload` (RFC 8878, section 3.1.2), less than 4 GiB.
std::string skippable_frame(std::string_view payload);

/// The footer frame of zstd:chunked, as containers/storage has it.
std::string zstd_chunked_footer(const TablePlace& place);

/// The footer member of eStargz: empty, with the table's offset in its header.
std::string estargz_footer(std::uint64_t table_offset);

}  // namespace lade::seekable
