// The writers of seekable layers: whatever the bytes, the layer decompresses to them (zstd:chunked,
// or without a table), and the files that the table names have the content that it says.
#include <cstdint>

#include "libimage/base/error.h"
#include "libimage/compress/codec.h"
#include "libimage/digest/hasher.h"
#include "libimage/seekable/seekable.h"
#include "libimage/seekable/table_of_contents.h"

#include "fuzz/property.h"
#include "fuzz/sound_tar.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  std::string tar(lade::fuzz::text_of(data + 1, size - 1));
  if ((data[0] & 1U) != 0) tar = lade::fuzz::with_checksums(std::move(tar));
  const lade::SeekableFormat format =
      (data[0] & 2U) != 0 ? lade::SeekableFormat::estargz : lade::SeekableFormat::zstd_chunked;
  lade::StringSource source(tar);
  lade::StringSink sink;
  const lade::SeekableLayer layer =
      lade::write_seekable(format, source, sink, {.level = 1, .threads = 1});
  const std::string& blob = sink.text();
  lade::StringSource stored(blob);
  const auto plain = lade::codec_named(lade::codec_of(format)).decompress_from(stored, {});
  const std::string inside = lade::read_all(*plain, std::uint64_t{1} << 30U, "layer");
  lade::fuzz::require(inside.size() == layer.uncompressed_bytes);
  if (!layer.diff_id) lade::fuzz::require(inside == tar);
  if (layer.diff_id) lade::fuzz::require(lade::sha256_of(inside) == layer.diff_id->value);
  const lade::oci::Descriptor descriptor{
      .media_type = lade::oci::layer_media_type(lade::oci::Family::oci, lade::codec_of(format)),
      .digest = lade::sha256_of(blob),
      .size = blob.size(),
      .annotations = layer.annotations};
  const lade::ReadRange read = [&](std::uint64_t offset, std::uint64_t length) {
    return std::make_unique<lade::StringSource>(std::string_view(blob).substr(offset, length));
  };
  std::optional<lade::TableOfContents> table;
  try {
    table = lade::read_table_of_contents(descriptor, read);
  } catch (const lade::Error& e) {
    // Deep or long names pass the tar reader and are limits of the table's.
    lade::fuzz::require(e.code() == lade::Errc::limit_exceeded);
    return 0;
  }
  lade::fuzz::require(table.has_value() == layer.plain_because.empty());
  if (!table) return 0;
  for (const lade::TableEntry& entry : table->entries) {
    if (entry.chunks.empty()) continue;
    const auto file = lade::open_file(table->format, entry, read);
    lade::fuzz::require(lade::drain(*file) == entry.attributes.size);
  }
  return 0;
}
