// Tables of contents: whatever is accepted describes files whose chunks lie in front of the table
// and hold exactly their bytes.
#include <cstdint>

#include "libimage/base/error.h"
#include "libimage/compress/members.h"
#include "libimage/digest/hasher.h"
#include "libimage/seekable/footer.h"
#include "libimage/seekable/table_of_contents.h"

#include "fuzz/property.h"

namespace {

constexpr lade::TableLimits kLimits{.max_table_bytes = 1U << 20U, .max_entries = 1000};

void check(const lade::TableOfContents& table) {
  for (const lade::TableEntry& entry : table.entries) {
    std::uint64_t at = 0;
    for (const lade::TableChunk& chunk : entry.chunks) {
      lade::fuzz::require(chunk.file_offset == at && chunk.size != 0);
      lade::fuzz::require(chunk.zeros || chunk.stored.size != 0);
      lade::fuzz::require(chunk.stored.size == 0 ||
                          chunk.stored.offset + chunk.stored.size <= table.stored.offset);
      at += chunk.size;
    }
    lade::fuzz::require(at == entry.attributes.size);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  // The rest is a whole blob, or the text of a table in a sound one.
  std::string blob(lade::fuzz::text_of(data + 1, size - 1));
  if ((data[0] & 1U) != 0) {
    const std::string table = lade::one_member("zstd", blob, {});
    const lade::seekable::TablePlace place{.table = {1008, table.size()},
                                           .table_text_bytes = blob.size()};
    blob = std::string(1000, 'd') + lade::seekable::skippable_frame(table) +
           lade::seekable::zstd_chunked_footer(place);
  }
  const char* codec = (data[0] & 2U) != 0 ? "gzip" : "zstd";
  const lade::oci::Descriptor layer{
      .media_type = lade::oci::layer_media_type(lade::oci::Family::oci, codec),
      .digest = lade::sha256_of(""),
      .size = blob.size()};
  const lade::ReadRange read = [&](std::uint64_t offset, std::uint64_t length) {
    lade::fuzz::require(offset <= blob.size() && length <= blob.size() - offset);
    return std::make_unique<lade::StringSource>(std::string_view(blob).substr(offset, length));
  };
  try {
    const auto table = lade::read_table_of_contents(layer, read, kLimits);
    if (table) check(*table);
  } catch (const lade::Error&) {
    // What is not a sound table is refused.
  }
  return 0;
}
