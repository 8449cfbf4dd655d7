// Tars, layers made of them, and ways to look into both, for the tests of seekable layers.
#pragma once
#include <map>
#include <random>
#include <string>
#include <string_view>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/digest/hasher.h"
#include "libimage/layer/apply_layer.h"
#include "libimage/seekable/seekable.h"
#include "libimage/seekable/table_of_contents.h"

#include "tests/support/tar_builder.h"

namespace lade::testing {

inline std::string noise(std::size_t size, unsigned seed = 1) {
  std::mt19937_64 random(seed);
  std::string out;
  while (out.size() < size) {
    const std::uint64_t word = random();
    // Half of it compresses.
    out.append(reinterpret_cast<const char*>(&word), sizeof word);
    out.append(8, static_cast<char>('a' + word % 16));
  }
  out.resize(size);
  return out;
}

/// One of each kind of entry, files of 0 bytes to several chunks.
inline std::string every_kind_of_entry() {
  const std::string pax =
      TarBuilder::record("mtime", "1700000000.25") + TarBuilder::record("atime", "1700000001.5") +
      TarBuilder::record("ctime", "1700000002") +
      TarBuilder::record("SCHILY.xattr.user.note", std::string("\x01\0\xFF", 3)) +
      TarBuilder::record("path", "usr/share/" + std::string(150, 'n'));
  return TarBuilder()
      .dir("./")
      .dir("usr/", 01777)
      .raw({.name = "usr/hello",
            .mode = 0100755,
            .uid = 7,
            .gid = 8,
            .size = 6,
            .mtime = 1234567890})
      .content("hello\n")
      .file("usr/empty")
      .pax(pax)
      .raw({.name = "usr/share/long", .size = 3})
      .content("pax")
      .file("usr/large", noise(5'000'000), 04755)
      .hardlink("usr/hallo", "usr/hello")
      .symlink("usr/link", "../etc/\xC3\xA4")
      .device("usr/null", '3', 1, 3)
      .device("usr/disk", '4', 8, 1)
      .raw({.name = "usr/pipe", .type = '6'})
      .file("usr/.wh.gone")
      .gnu_long('L', "opt/" + std::string(200, 'g'))
      .raw({.name = "opt/cut", .size = 4, .magic = TarBuilder::gnu_magic()})
      .content("gnu!")
      .file("usr/last", noise(700'000, 2))
      .finish();
}

struct WrittenLayer {
  std::string blob = {};
  SeekableLayer layer = {};
  oci::Descriptor descriptor = {.digest = sha256_of("")};
};

inline WrittenLayer write_layer_of(SeekableFormat format, const std::string& tar,
                                   const CompressOptions& options = {}) {
  StringSource source(tar);
  StringSink sink;
  WrittenLayer written;
  written.layer = write_seekable(format, source, sink, options);
  written.blob = sink.take();
  written.descriptor = {.media_type = oci::layer_media_type(oci::Family::oci, codec_of(format)),
                        .digest = sha256_of(written.blob),
                        .size = written.blob.size(),
                        .annotations = written.layer.annotations};
  return written;
}

/// Reads ranges of a blob that the test keeps alive.
inline ReadRange ranges_of(const std::string& blob) {
  return [&blob](std::uint64_t offset, std::uint64_t size) -> std::unique_ptr<Source> {
    return std::make_unique<StringSource>(std::string_view(blob).substr(offset, size));
  };
}

inline std::string decompressed(std::string_view codec, const std::string& blob) {
  StringSource in(blob);
  const auto plain = codec_named(codec).decompress_from(in, {});
  return read_all(*plain, std::uint64_t{1} << 30U, "layer");
}

/// The content of every regular file of a tar, by path.
inline std::map<std::string, std::string> files_of(const std::string& tar) {
  std::map<std::string, std::string> files;
  StringSource source(tar);
  TarReader reader(source);
  while (const std::optional<TarEntry> entry = reader.next()) {
    if (entry->kind != LayerEntry::Kind::file || entry->attributes.type != FileType::regular) {
      continue;
    }
    std::string content(static_cast<std::size_t>(entry->attributes.size), '\0');
    const auto out = std::as_writable_bytes(std::span(content));
    for (std::size_t at = 0; at < out.size();) at += reader.read(out.subspan(at));
    files[entry->path] = std::move(content);
  }
  return files;
}

}  // namespace lade::testing
