#include "libimage/seekable/footer.h"

#include <algorithm>

#include "libimage/base/error.h"
#include "libimage/base/text.h"

namespace lade::seekable {
namespace {

using namespace std::string_view_literals;

constexpr std::string_view kSkippable = "\x50\x2A\x4D\x18"sv;

// zstd:chunked: the payloads of the last skippable frame.
constexpr std::string_view kStorageMagic = "GNUlInUx"sv;
constexpr std::size_t kStoragePayload = 64;  // seven numbers and the magic
constexpr std::string_view kSnapshotterMagic = "GnUlInUx"sv;
constexpr std::size_t kSnapshotterPayload = 40;  // four numbers and the magic
constexpr std::uint64_t kTypeCrfs = 1;           // the only type of table there is

// eStargz: an empty gzip member whose extra field ends in the offset and this.
constexpr std::string_view kStargzMagic = "STARGZ"sv;
constexpr std::size_t kStargzHeader = 12;  // the fixed header and the extra field's length
constexpr std::size_t kEstargzFooter = 51;
constexpr std::size_t kStargzFooter = 47;                     // without the subfield's own header
constexpr std::size_t kStargzSubfield = 22;                   // 16 digits and the magic
constexpr std::string_view kGzipHead = "\x1F\x8B\x08\x04"sv;  // deflate, an extra field and no more
constexpr std::string_view kStoredNothing = "\x01\x00\x00\xFF\xFF"sv;

std::string little_endian(std::uint64_t value, std::size_t bytes) {
  std::string text;
  for (std::size_t i = 0; i < bytes; ++i) {
    text += static_cast<char>(value & 0xFFU);
    value >>= 8U;
  }
  return text;
}

std::uint64_t number_at(std::string_view text, std::size_t at, std::size_t bytes) {
  std::uint64_t value = 0;
  for (std::size_t i = bytes; i-- > 0;) {
    value = value << 8U | static_cast<unsigned char>(text[at + i]);
  }
  return value;
}

/// The payload of the skippable frame of `size` bytes that `tail` ends in; empty if there is none.
std::string_view last_frame(std::string_view tail, std::size_t size) {
  if (tail.size() < size + 8) return {};
  tail.remove_prefix(tail.size() - size - 8);
  if (!tail.starts_with(kSkippable) || number_at(tail, 4, 4) != size) return {};
  return tail.substr(8);
}

BlobRange range_of(std::uint64_t offset, std::uint64_t size, std::uint64_t end,
                   std::string_view what) {
  if (size == 0 || offset > end || size > end - offset) {
    throw Error(Errc::invalid_content, cat("footer: the ", what, " at ", offset, " of ", size,
                                           " bytes is not in front of the footer at ", end));
  }
  return {offset, size};
}

std::optional<TablePlace> parse_zstd(std::string_view tail, std::uint64_t blob_size) {
  const std::string_view storage = last_frame(tail, kStoragePayload);
  const std::string_view snapshotter = last_frame(tail, kSnapshotterPayload);
  const bool is_storage = storage.ends_with(kStorageMagic);
  if (!is_storage && !snapshotter.ends_with(kSnapshotterMagic)) return std::nullopt;
  const std::string_view payload = is_storage ? storage : snapshotter;
  const auto number = [&](std::size_t i) { return number_at(payload, 8 * i, 8); };
  if (number(3) != kTypeCrfs) {
    throw Error(Errc::unsupported, cat("footer: tables of type ", number(3), " are unknown"));
  }
  const std::uint64_t end = blob_size - payload.size() - 8;
  TablePlace place;
  place.format = is_storage ? TableFormat::zstd_chunked : TableFormat::zstd_chunked_snapshotter;
  place.table = range_of(number(0), number(1), end, "table");
  place.table_text_bytes = number(2);
  if (is_storage && number(4) != 0) {  // older writers have none
    place.tar_split = range_of(number(4), number(5), end, "tar-split data");
    place.tar_split_text_bytes = number(6);
  }
  return place;
}

std::optional<std::uint64_t> parse_hex(std::string_view digits) {
  std::uint64_t value = 0;
  for (const char c : digits) {
    const std::size_t digit = "0123456789abcdef"sv.find(c);
    if (digit == std::string_view::npos) return std::nullopt;
    value = value << 4U | digit;
  }
  return value;
}

std::optional<TablePlace> parse_gzip(std::string_view tail, std::uint64_t blob_size) {
  for (const std::size_t size : {kEstargzFooter, kStargzFooter}) {
    if (tail.size() < size) continue;
    const std::string_view footer = tail.substr(tail.size() - size);
    const std::size_t extra = size - kStargzHeader - kStoredNothing.size() - 8;
    if (!footer.starts_with(kGzipHead) || number_at(footer, 10, 2) != extra) continue;
    std::string_view field = footer.substr(kStargzHeader, extra);
    if (size == kEstargzFooter) {
      if (!field.starts_with("SG"sv) || number_at(field, 2, 2) != kStargzSubfield) continue;
      field.remove_prefix(4);
    }
    if (!field.ends_with(kStargzMagic)) continue;
    const std::optional<std::uint64_t> offset = parse_hex(field.substr(0, 16));
    if (!offset) throw Error(Errc::invalid_content, "footer: the table's offset is no number");
    const std::uint64_t end = blob_size - size;
    TablePlace place;
    place.format = size == kEstargzFooter ? TableFormat::estargz : TableFormat::stargz;
    place.table = range_of(*offset, *offset < end ? end - *offset : 0, end, "table");
    return place;
  }
  return std::nullopt;
}

}  // namespace

std::optional<TablePlace> parse_footer(std::string_view tail, std::uint64_t blob_size) {
  if (std::optional<TablePlace> place = parse_zstd(tail, blob_size)) return place;
  return parse_gzip(tail, blob_size);
}

std::string skippable_frame(std::string_view payload) {
  return cat(kSkippable, little_endian(payload.size(), 4), payload);
}

std::string zstd_chunked_footer(const TablePlace& place) {
  const BlobRange tar_split = place.tar_split.value_or(BlobRange{});
  std::string payload;
  for (const std::uint64_t number :
       {place.table.offset, place.table.size, place.table_text_bytes, kTypeCrfs, tar_split.offset,
        tar_split.size, place.tar_split_text_bytes}) {
    payload += little_endian(number, 8);
  }
  payload += kStorageMagic;
  return skippable_frame(payload);
}

std::string estargz_footer(std::uint64_t table_offset) {
  std::string digits;
  for (std::size_t i = 16; i-- > 0;) {
    digits += "0123456789abcdef"[(table_offset >> (4 * i)) & 0xFU];
  }
  // No time, system unknown; the checksum and the length of nothing are zeros.
  return cat(kGzipHead, "\0\0\0\0\0\xFF"sv, little_endian(kStargzSubfield + 4, 2), "SG"sv,
             little_endian(kStargzSubfield, 2), digits, kStargzMagic, kStoredNothing,
             std::string(8, '\0'));
}

}  // namespace lade::seekable
