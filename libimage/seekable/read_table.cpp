#include <algorithm>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/compress/codec.h"
#include "libimage/digest/hasher.h"
#include "libimage/io/path.h"
#include "libimage/layer/apply_layer.h"
#include "libimage/seekable/annotations.h"
#include "libimage/seekable/footer.h"
#include "libimage/seekable/seekable.h"
#include "libimage/seekable/table_builder.h"
#include "libimage/seekable/table_of_contents.h"

namespace lade {
namespace seekable {
namespace {

[[noreturn]] void throw_invalid(std::string message) {
  throw Error(Errc::invalid_content, std::move(message));
}

std::string bytes_in(const ReadRange& read, const BlobRange& range) {
  const std::unique_ptr<Source> source = read(range.offset, range.size);
  std::string bytes = read_all(*source, range.size, "range");
  if (bytes.size() != range.size) {
    throw_invalid(
        cat("asked for ", range.size, " bytes at ", range.offset, ", got ", bytes.size()));
  }
  return bytes;
}

/// The numbers of "a:b:c", exactly `count` of them.
std::vector<std::uint64_t> numbers_in(const std::string& text, std::size_t count) {
  std::vector<std::uint64_t> numbers;
  for (const std::string_view piece : split(text, ':')) {
    const std::optional<std::uint64_t> number = parse_decimal(piece);
    if (!number) break;
    numbers.push_back(*number);
  }
  if (numbers.size() != count) throw_invalid(cat("malformed position ", quoted(text)));
  return numbers;
}

BlobRange range_in(const std::vector<std::uint64_t>& numbers, std::uint64_t blob_size) {
  const BlobRange range{numbers[0], numbers[1]};
  if (range.size == 0 || range.offset > blob_size || range.size > blob_size - range.offset) {
    throw_invalid(cat("the position ", range.offset, ":", range.size, " is outside the blob of ",
                      blob_size, " bytes"));
  }
  return range;
}

/// Where the annotations of a zstd layer say the table is; nullopt if they do not.
std::optional<TablePlace> annotated_place(const oci::Descriptor& layer) {
  TablePlace place;
  std::string position = layer.annotation(std::string(kChunkedPosition));
  place.format = TableFormat::zstd_chunked;
  if (position.empty()) {
    position = layer.annotation(std::string(kSnapshotterPosition));
    place.format = TableFormat::zstd_chunked_snapshotter;
  }
  if (position.empty()) return std::nullopt;
  const std::vector<std::uint64_t> numbers = numbers_in(position, 4);
  constexpr std::uint64_t kTypeCrfs = 1;
  if (numbers[3] != kTypeCrfs) {
    throw Error(Errc::unsupported, cat("tables of type ", numbers[3], " are unknown"));
  }
  place.table = range_in(numbers, layer.size);
  place.table_text_bytes = numbers[2];
  const std::string split = layer.annotation(std::string(kTarSplitPosition));
  if (!split.empty()) {
    const std::vector<std::uint64_t> split_numbers = numbers_in(split, 3);
    place.tar_split = range_in(split_numbers, layer.size);
    place.tar_split_text_bytes = split_numbers[2];
  }
  return place;
}

void check_digest(std::string_view bytes, const std::string& expected, std::string_view what) {
  const Digest digest = Digest::parse(expected);
  Hasher hasher(digest.algorithm());
  hasher.update(bytes);
  if (hasher.digest() != digest) {
    throw Error(Errc::digest_mismatch,
                cat(what, " has digest ", hasher.digest().str(), ", not ", digest.str()));
  }
}

/// The table as text, its digests verified as far as the annotations name them.
class TextReader {
 public:
  TextReader(const oci::Descriptor& layer, const TablePlace& place, const TableLimits& limits)
      : layer_(layer), place_(place), limits_(limits) {}

  std::string read(const ReadRange& read) {
    if (place_.table.size > limits_.max_table_bytes ||
        place_.table_text_bytes > limits_.max_table_bytes) {
      throw Error(Errc::limit_exceeded,
                  cat("it is larger than ", limits_.max_table_bytes, " bytes"));
    }
    const std::string stored = bytes_in(read, place_.table);
    const bool gzip = place_.format == TableFormat::estargz || place_.format == TableFormat::stargz;
    if (!gzip) check(stored, {kChunkedChecksum, kSnapshotterChecksum}, "the compressed table");
    std::string text = gzip ? text_in_tar(stored) : text_in_zstd(stored);
    check(text, {kStargzDigest}, "the table");
    return text;
  }
  [[nodiscard]] bool verified() const noexcept { return verified_; }

 private:
  void check(std::string_view bytes, std::initializer_list<std::string_view> keys,
             std::string_view what) {
    for (const std::string_view key : keys) {
      const std::string expected = layer_.annotation(std::string(key));
      if (expected.empty()) continue;
      check_digest(bytes, expected, what);
      verified_ = true;
    }
  }

  [[nodiscard]] std::string text_in_zstd(const std::string& stored) const {
    StringSource in(stored);
    const std::unique_ptr<Source> plain =
        codec_named("zstd").decompress_from(in, {.max_output = limits_.max_table_bytes});
    std::string text = read_all(*plain, limits_.max_table_bytes, "table");
    if (place_.table_text_bytes != 0 && text.size() != place_.table_text_bytes) {
      throw_invalid(cat("it has ", text.size(), " bytes, not ", place_.table_text_bytes));
    }
    return text;
  }

  [[nodiscard]] std::string text_in_tar(const std::string& stored) const {
    StringSource in(stored);
    const std::unique_ptr<Source> plain =
        codec_named("gzip").decompress_from(in, {.max_output = limits_.max_table_bytes + 65536});
    TarReader tar(*plain);
    const std::optional<TarEntry> entry = tar.next();
    if (!entry || clean_path(entry->path) != kStargzTable || tar.facts().sparse) {
      throw_invalid(cat("there is no ", kStargzTable));
    }
    if (entry->attributes.size > limits_.max_table_bytes) {
      throw Error(Errc::limit_exceeded,
                  cat("it is larger than ", limits_.max_table_bytes, " bytes"));
    }
    std::string text(static_cast<std::size_t>(entry->attributes.size), '\0');
    const auto out = std::as_writable_bytes(std::span(text));
    for (std::size_t at = 0; at < out.size();) at += tar.read(out.subspan(at));
    return text;
  }

  const oci::Descriptor& layer_;
  const TablePlace& place_;
  const TableLimits& limits_;
  bool verified_ = false;
};

std::optional<TablePlace> place_of(const oci::Descriptor& layer, const ReadRange& read) {
  const std::string_view codec = oci::layer_codec(layer.media_type);
  if (codec != "zstd" && codec != "gzip") return std::nullopt;
  std::optional<TablePlace> place;
  if (codec == "zstd") place = annotated_place(layer);
  if (!place && layer.size != 0) {
    const std::uint64_t size = std::min<std::uint64_t>(layer.size, kLargestFooter);
    place = parse_footer(bytes_in(read, {layer.size - size, size}), layer.size);
  }
  const bool gzip =
      place && (place->format == TableFormat::estargz || place->format == TableFormat::stargz);
  if (place && gzip != (codec == "gzip")) return std::nullopt;  // bytes that happen to look so
  if (!place && seekable_format_of(layer)) {
    throw_invalid("an annotation promises a table, but the blob does not end in its footer");
  }
  return place;
}

}  // namespace
}  // namespace seekable

std::optional<TableOfContents> read_table_of_contents(const oci::Descriptor& layer,
                                                      const ReadRange& read,
                                                      const TableLimits& limits) {
  return with_context(
      [&] { return cat("table of contents of ", layer.digest.str()); },
      [&]() -> std::optional<TableOfContents> {
        const std::optional<seekable::TablePlace> place = seekable::place_of(layer, read);
        if (!place) return std::nullopt;
        seekable::TextReader reader(layer, *place, limits);
        const std::string text = reader.read(read);
        seekable::TableBuilder builder(place->format, limits);
        seekable::TableHead head = seekable::parse_table(text, builder);
        TableOfContents table;
        table.format = place->format;
        table.stored = place->table;
        table.verified = reader.verified();
        table.tar_split = place->tar_split;
        table.tar_split_digest = std::move(head.tar_split_digest);
        // In zstd the frame around the table has a header of 8 bytes.
        const bool gzip =
            place->format == TableFormat::estargz || place->format == TableFormat::stargz;
        table.entries = builder.finish(place->table.offset -
                                       std::min<std::uint64_t>(place->table.offset, gzip ? 0 : 8));
        return table;
      });
}

}  // namespace lade
