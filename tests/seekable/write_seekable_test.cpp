// Layers with a table of contents: written, read back, and compared with the tar they hold.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "libimage/seekable/seekable.h"

#include "tests/seekable/samples.h"

namespace lade {
namespace {

using namespace lade::testing;
using ::testing::HasSubstr;

constexpr SeekableFormat kFormats[] = {SeekableFormat::zstd_chunked, SeekableFormat::estargz};

TableOfContents table_of(const WrittenLayer& written) {
  const auto table = read_table_of_contents(written.descriptor, ranges_of(written.blob));
  if (!table) throw Error(Errc::internal, "no table");
  return *table;
}

/// Every entry of the tar is in the table, with the same attributes, in the same order.
void expect_described(const std::string& tar, const TableOfContents& table, bool exact_times) {
  StringSource source(tar);
  TarReader reader(source);
  for (const TableEntry& entry : table.entries) {
    const std::optional<TarEntry> expected = reader.next();
    ASSERT_TRUE(expected.has_value());
    EXPECT_EQ(entry.path, expected->path);
    EXPECT_EQ(entry.kind, expected->kind) << entry.path;
    EXPECT_EQ(entry.link_to, expected->link_to) << entry.path;
    Attributes attributes = expected->attributes;
    if (!exact_times) attributes.mtime.nanoseconds = 0;
    EXPECT_TRUE(entry.attributes == attributes) << entry.path;
  }
  EXPECT_FALSE(reader.next().has_value());
}

void expect_files(const std::string& tar, const WrittenLayer& written,
                  const TableOfContents& table) {
  const ReadRange read = ranges_of(written.blob);
  std::map<std::string, std::string> files = files_of(tar);
  for (const TableEntry& entry : table.entries) {
    if (!files.contains(entry.path)) continue;
    const auto file = open_file(table.format, entry, read);
    const std::string content = read_all(*file, entry.attributes.size, "file");
    EXPECT_TRUE(content == files[entry.path]) << entry.path;
    EXPECT_TRUE(content.empty() || entry.digest == sha256_of(content)) << entry.path;
    std::uint64_t at = 0;
    for (const TableChunk& chunk : entry.chunks) {  // each alone, too
      const auto piece = open_chunk(table.format, chunk, read);
      EXPECT_TRUE(read_all(*piece, chunk.size, "chunk") == content.substr(at, chunk.size));
      EXPECT_TRUE(chunk.digest.has_value());
      at += chunk.size;
    }
    files.erase(entry.path);
  }
  EXPECT_TRUE(files.empty());
}

TEST(WriteSeekable, ZstdChunkedDecompressesToTheSameTar) {
  const std::string tar = every_kind_of_entry();
  const WrittenLayer written = write_layer_of(SeekableFormat::zstd_chunked, tar);
  EXPECT_TRUE(decompressed("zstd", written.blob) == tar);
  EXPECT_EQ(written.layer.plain_because, "");
  EXPECT_FALSE(written.layer.diff_id.has_value());
  EXPECT_EQ(written.layer.uncompressed_bytes, tar.size());
  const TableOfContents table = table_of(written);
  EXPECT_EQ(table.format, TableFormat::zstd_chunked);
  EXPECT_TRUE(table.verified);
  expect_described(tar, table, true);
  expect_files(tar, written, table);
}

TEST(WriteSeekable, EstargzKeepsTheTarInFrontOfItsTable) {
  const std::string tar = every_kind_of_entry();
  const WrittenLayer written = write_layer_of(SeekableFormat::estargz, tar);
  const std::string inside = decompressed("gzip", written.blob);
  EXPECT_TRUE(inside.starts_with(std::string_view(tar).substr(0, tar.size() - 1024)));
  EXPECT_EQ(written.layer.plain_because, "");
  EXPECT_EQ(written.layer.uncompressed_bytes, inside.size());
  ASSERT_TRUE(written.layer.diff_id.has_value());
  EXPECT_EQ(written.layer.diff_id->value, sha256_of(inside));
  const std::map<std::string, std::string> files = files_of(inside);
  EXPECT_EQ(files.at(".no.prefetch.landmark"), "\x0F");
  EXPECT_EQ(sha256_of(files.at("stargz.index.json")).str(),
            written.layer.annotations.at("containerd.io/snapshot/stargz/toc.digest"));
  EXPECT_EQ(written.layer.annotations.at("io.containers.estargz.uncompressed-size"),
            std::to_string(inside.size()));
  const TableOfContents table = table_of(written);
  EXPECT_EQ(table.format, TableFormat::estargz);
  EXPECT_TRUE(table.verified);
  expect_described(tar, table, false);
  expect_files(tar, written, table);
}

TEST(WriteSeekable, EstargzMadeOfEstargzIsTheSame) {
  const WrittenLayer once = write_layer_of(SeekableFormat::estargz, every_kind_of_entry());
  const WrittenLayer twice =
      write_layer_of(SeekableFormat::estargz, decompressed("gzip", once.blob));
  EXPECT_EQ(twice.layer.annotations, once.layer.annotations);
  EXPECT_TRUE(twice.blob == once.blob);
}

TEST(WriteSeekable, TheBytesDoNotDependOnTheThreads) {
  const std::string tar = every_kind_of_entry();
  for (const SeekableFormat format : kFormats) {
    const WrittenLayer one = write_layer_of(format, tar, {.threads = 1});
    const WrittenLayer many = write_layer_of(format, tar, {.threads = 5});
    EXPECT_TRUE(one.blob == many.blob);
    EXPECT_EQ(one.layer.annotations, many.layer.annotations);
    // Not always smaller: most of this content has no repetitions worth finding.
    const WrittenLayer other = write_layer_of(format, tar, {.level = 9});
    EXPECT_FALSE(other.blob == one.blob);
    expect_files(tar, other, table_of(other));
  }
}

TEST(WriteSeekable, ManySmallFilesShareBatchesButNotMembers) {
  TarBuilder builder;
  for (int i = 0; i < 3000; ++i) {
    builder.file(cat("f", i), cat("content of ", i));
    if (i % 3 == 0) builder.dir(cat("d", i, "/"));
  }
  const std::string tar = builder.finish();
  for (const SeekableFormat format : kFormats) {
    const WrittenLayer written = write_layer_of(format, tar);
    const TableOfContents table = table_of(written);
    EXPECT_EQ(table.entries.size(), 4000U);
    expect_files(tar, written, table);
  }
}

TEST(WriteSeekable, HolesOfFilesAreChunksThatNobodyNeedsToRead) {
  constexpr std::size_t block = std::size_t{64} * 1024;
  const std::string large = noise(700'000);
  const std::string ends = noise(10 * block) + std::string(5 * block + 17, '\0');
  const std::string inside =
      std::string(9 * 1024 * 1024, '\0') + large + std::string(3 * block, '\0') + large;
  const std::string tar = TarBuilder()
                              .file("all", std::string(1'000'000, '\0'))
                              .file("small", std::string(300'000, '\0'))
                              .file("ends", ends)
                              .file("inside", inside)
                              .finish();
  const WrittenLayer written = write_layer_of(SeekableFormat::zstd_chunked, tar);
  EXPECT_TRUE(decompressed("zstd", written.blob) == tar);
  const TableOfContents table = table_of(written);
  expect_files(tar, written, table);
  std::map<std::string, std::vector<std::uint64_t>> holes;
  for (const TableEntry& entry : table.entries) {
    for (const TableChunk& chunk : entry.chunks) {
      if (chunk.zeros) holes[entry.path].push_back(chunk.size);
    }
  }
  constexpr std::uint64_t mib = 1024 * 1024;
  EXPECT_EQ(holes, (std::map<std::string, std::vector<std::uint64_t>>{
                       {"all", {15 * block}},
                       {"ends", {5 * block}},
                       {"inside", {4 * mib, 4 * mib, mib, 2 * block}}}));
}

TEST(WriteSeekable, AnEmptyTarHasAnEmptyTable) {
  const std::string tar = TarBuilder().finish();
  for (const SeekableFormat format : kFormats) {
    const WrittenLayer written = write_layer_of(format, tar);
    EXPECT_EQ(table_of(written).entries.size(), 0U);
  }
  EXPECT_TRUE(decompressed("zstd", write_layer_of(SeekableFormat::zstd_chunked, tar).blob) == tar);
}

TEST(WriteSeekable, TarsEndAsTheyLike) {
  const std::string content = TarBuilder().file("a", "one").unfinished();
  const std::string padded = content + std::string(700'000, '\0');
  const std::string unpadded = content.substr(0, 515);  // umoci's
  for (const std::string& tar :
       {padded, unpadded, content, content + std::string(1024, '\0') + "x"}) {
    const WrittenLayer chunked = write_layer_of(SeekableFormat::zstd_chunked, tar);
    EXPECT_TRUE(decompressed("zstd", chunked.blob) == tar);
    EXPECT_EQ(table_of(chunked).entries.size(), 1U);
    const WrittenLayer estargz = write_layer_of(SeekableFormat::estargz, tar);
    EXPECT_EQ(files_of(decompressed("gzip", estargz.blob)).at("a"), "one");
    EXPECT_EQ(table_of(estargz).entries.size(), 1U);
  }
}

/// What cannot be described is an ordinary layer with the same bytes inside, and says why.
void expect_plain(SeekableFormat format, const std::string& tar, const std::string& why) {
  const WrittenLayer written = write_layer_of(format, tar);
  EXPECT_THAT(written.layer.plain_because, HasSubstr(why));
  EXPECT_TRUE(written.layer.annotations.empty());
  EXPECT_FALSE(written.layer.diff_id.has_value());
  EXPECT_TRUE(decompressed(codec_of(format), written.blob) == tar);
  EXPECT_FALSE(read_table_of_contents(written.descriptor, ranges_of(written.blob)).has_value());
}

TEST(WriteSeekable, WhatTablesCannotDescribeBecomesAnOrdinaryLayer) {
  const std::string large = noise(700'000);
  const auto with = [&](auto add) {
    TarBuilder builder;
    builder.file("first", "first").file("large", large);
    add(builder);
    return builder.file("last", "last").finish();
  };
  const auto sparse = [](TarBuilder& b) {
    b.pax(TarBuilder::record("GNU.sparse.map", "0,512,1024,512") +
          TarBuilder::record("GNU.sparse.size", "2048"))
        .file("sparse", std::string(1024, 's'));
  };
  const auto broken = [](TarBuilder& b) { b.bytes(std::string(512, 'x')); };
  const auto latin = [](TarBuilder& b) { b.file("gr\xFC\xDF", "e"); };
  const auto socket = [](TarBuilder& b) { b.raw({.name = "x", .type = '7'}); };
  const auto ages = [](TarBuilder& b) {
    b.pax(TarBuilder::record("mtime", "253402300800")).file("late");
  };
  for (const SeekableFormat format : kFormats) {
    expect_plain(format, with(sparse), "'sparse' is a sparse file");
    expect_plain(format, with(broken), "checksum");
    expect_plain(format, with(latin), "not UTF-8");
    expect_plain(format, with(socket), "is of type '7'");
    expect_plain(format, with(ages), "a time that tables cannot hold");
    expect_plain(format, "no tar at all", "ends inside a header");
    expect_plain(format, TarBuilder().file("cut", large).unfinished().substr(0, 300'000), "ends");
  }
  const SeekableFormat chunked = SeekableFormat::zstd_chunked;
  expect_plain(chunked, with([](TarBuilder& b) { b.file("./first", "2"); }), "'./first' twice");
  expect_plain(chunked, with([](TarBuilder& b) { b.pax("", 'g'); }), "global PAX header");
  expect_plain(chunked, with([](TarBuilder& b) {
                 b.raw({.name = "l", .type = '1', .size = 5, .link = "first"});
               }),
               "a size but no content");
}

class FailingSource final : public Source {
 public:
  FailingSource(const std::string& text, std::size_t good) : text_(text), left_(good) {}
  std::size_t read(std::span<std::byte> out) override {
    if (left_ == 0) throw Error(Errc::digest_mismatch, "blob: wrong digest");
    return text_.read(out.first(std::min(out.size(), std::exchange(left_, 0))));
  }

 private:
  StringSource text_;
  std::size_t left_;
};

TEST(WriteSeekable, FailuresOfTheSourceAreNotTakenForBrokenTars) {
  const std::string tar = TarBuilder().file("a", noise(5000)).finish();
  for (const SeekableFormat format : kFormats) {
    for (const std::size_t good :
         {std::size_t{1}, std::size_t{100}, std::size_t{5000}, tar.size()}) {
      FailingSource source(tar, good);
      StringSink sink;
      try {
        write_seekable(format, source, sink, {});
        ADD_FAILURE() << "no error";
      } catch (const Error& e) {
        EXPECT_EQ(e.code(), Errc::digest_mismatch);
      }
    }
  }
}

TEST(WriteSeekable, HeadersWithoutEndAreNotHeld) {
  // A megabyte of global headers after another: valid, and no reason to fail.
  TarBuilder builder;
  const std::string record = TarBuilder::record("comment", std::string(900'000, 'c'));
  for (int i = 0; i < 30; ++i) builder.pax(record, 'g');
  const std::string tar = builder.file("a").finish();
  const WrittenLayer written = write_layer_of(SeekableFormat::estargz, tar);
  EXPECT_THAT(written.layer.plain_because, HasSubstr("headers of an entry"));
  EXPECT_TRUE(decompressed("gzip", written.blob) == tar);
}

TEST(WriteSeekable, RefusesLevelsThatDoNotExist) {
  StringSource source("");
  StringSink sink;
  EXPECT_THROW(write_seekable(SeekableFormat::estargz, source, sink, {.level = 10}), Error);
  EXPECT_THROW(write_seekable(SeekableFormat::zstd_chunked, source, sink, {.fastest = true}),
               Error);
}

TEST(SeekableFormat, IsNamedAndKnownByAnnotations) {
  EXPECT_EQ(seekable_format_named("zstd:chunked"), SeekableFormat::zstd_chunked);
  EXPECT_EQ(seekable_format_named("estargz"), SeekableFormat::estargz);
  EXPECT_EQ(seekable_format_named("zstd"), std::nullopt);
  for (const SeekableFormat format : kFormats) {
    oci::Descriptor layer = write_layer_of(format, TarBuilder().file("a").finish()).descriptor;
    EXPECT_EQ(seekable_format_of(layer), format);
    layer.media_type = oci::kImageLayer;
    EXPECT_EQ(seekable_format_of(layer), std::nullopt);
    layer.annotations.reset();
    EXPECT_EQ(seekable_format_of(layer), std::nullopt);
  }
}

}  // namespace
}  // namespace lade
