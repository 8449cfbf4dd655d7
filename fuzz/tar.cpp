// The tar reader: whatever it accepts, the tar writer can write, and reads back as the same entry.
#include <cstdint>

#include "libimage/base/error.h"
#include "libimage/io/path.h"
#include "libimage/layer/apply_layer.h"
#include "libimage/layer/write_layer.h"

#include "fuzz/property.h"
#include "fuzz/sound_tar.h"

namespace {

constexpr lade::ApplyLimits kLimits{
    .max_entries = 1000, .max_bytes = std::uint64_t{1} << 20U, .max_pax_bytes = 65536};

void check_round_trip(const lade::TarEntry& read, std::string content) {
  lade::LayerEntry entry;
  entry.kind = read.kind;
  entry.path = lade::clean_path(read.path);
  entry.attributes = read.attributes;
  entry.link_to = read.link_to;
  if (entry.path.empty()) return;
  entry.content.text = std::make_shared<const std::string>(std::move(content));
  lade::StringSink tar;
  try {
    lade::write_tar(std::span(&entry, 1), tar, {.readers = 0});
  } catch (const lade::Error& e) {
    lade::fuzz::require(e.code() == lade::Errc::unsupported);
    return;
  }
  lade::StringSource source(tar.text());
  lade::TarReader reader(source);
  const std::optional<lade::TarEntry> again = reader.next();
  lade::fuzz::require(again.has_value());
  lade::fuzz::require(lade::clean_path(again->path) == entry.path);
  lade::fuzz::require(again->link_to == entry.link_to);
  lade::Attributes expected = entry.attributes;
  if (entry.kind == lade::LayerEntry::Kind::hardlink) expected.xattrs.clear();
  lade::fuzz::require(again->attributes == expected);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  std::string tar(lade::fuzz::text_of(data + 1, size - 1));
  if ((data[0] & 1U) == 0) tar = lade::fuzz::with_checksums(std::move(tar));
  lade::StringSource source(tar);
  try {
    lade::TarReader reader(source, kLimits);
    while (const std::optional<lade::TarEntry> entry = reader.next()) {
      if ((data[0] & 2U) != 0) continue;  // content skipped
      std::string content;
      std::byte buffer[1000];
      for (;;) {
        if ((data[0] & 4U) != 0) content.append(reader.skip_hole(), '\0');
        const std::size_t got = reader.read(buffer);
        if (got == 0) break;
        content += lade::chars_of(std::span(buffer).first(got));
      }
      lade::fuzz::require(content.size() == entry->attributes.size);
      check_round_trip(*entry, std::move(content));
    }
    reader.drain_rest();
  } catch (const lade::Error&) {
    // What is not a sound tar stream is refused.
  }
  return 0;
}
