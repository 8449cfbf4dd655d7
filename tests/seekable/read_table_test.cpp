// Tables of contents of every dialect, made by hand, sound and hostile.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "libimage/compress/members.h"
#include "libimage/seekable/footer.h"

#include "tests/seekable/samples.h"
#include "tests/support/thrown.h"

namespace lade {
namespace {

using namespace lade::testing;
using namespace std::string_literals;
using ::testing::HasSubstr;

/// A layer of frames or members and a table about them.
struct HandMade {
  std::string data = "";  // what stands in front of the table
  std::string json = "";

  std::uint64_t add(std::string_view codec, std::string_view content) {
    const std::uint64_t offset = data.size();
    data += one_member(codec, content, {});
    return offset;
  }
  [[nodiscard]] std::string zstd(bool snapshotter = false) const {
    const std::string table = one_member("zstd", json, {});
    seekable::TablePlace place{.table = {data.size() + 8, table.size()},
                               .table_text_bytes = json.size()};
    std::string footer = seekable::zstd_chunked_footer(place);
    if (snapshotter) {  // four numbers and another magic
      footer = seekable::skippable_frame(footer.substr(8, 32) + "GnUlInUx");
    }
    return data + seekable::skippable_frame(table) + footer;
  }
  [[nodiscard]] std::string gzip(bool legacy = false) const {
    const std::string tar = TarBuilder().file("stargz.index.json", json).finish();
    std::string footer = seekable::estargz_footer(data.size());
    if (legacy) footer = footer.substr(0, 10) + "\x16\0"s + footer.substr(16);
    return data + one_member("gzip", tar, {}) + footer;
  }
};

oci::Descriptor layer_of(const std::string& blob, std::string_view codec,
                         std::optional<oci::Annotations> annotations = {}) {
  return {.media_type = oci::layer_media_type(oci::Family::oci, codec),
          .digest = sha256_of(blob),
          .size = blob.size(),
          .annotations = std::move(annotations)};
}

std::string content_of(const TableOfContents& table, std::size_t entry, const std::string& blob) {
  const ReadRange read = ranges_of(blob);
  return read_all(*open_file(table.format, table.entries.at(entry), read), 1 << 20, "file");
}

std::string quote(const std::string& text) { return "\"" + text + "\""; }

HandMade one_file(std::string_view codec, const std::string& extra = "") {
  HandMade layer;
  layer.add(codec, "header");
  const std::uint64_t offset = layer.add(codec, "content");
  layer.json = cat(R"({"version":1,"entries":[{"type":"reg","name":"a","size":7,"offset":)", offset,
                   R"(,"digest":")", sha256_of("content").str(), "\"", extra, "}]}");
  return layer;
}

TEST(ReadTable, ReadsEveryDialectByItsFooter) {
  const HandMade zstd = one_file("zstd");
  const HandMade gzip = one_file("gzip");
  const std::vector<std::tuple<std::string, std::string_view, TableFormat>> blobs = {
      {zstd.zstd(), "zstd", TableFormat::zstd_chunked},
      {zstd.zstd(true), "zstd", TableFormat::zstd_chunked_snapshotter},
      {gzip.gzip(), "gzip", TableFormat::estargz},
      {gzip.gzip(true), "gzip", TableFormat::stargz}};
  for (const auto& [blob, codec, format] : blobs) {
    const auto table = read_table_of_contents(layer_of(blob, codec), ranges_of(blob));
    ASSERT_TRUE(table.has_value());
    EXPECT_EQ(table->format, format);
    EXPECT_FALSE(table->verified);
    EXPECT_EQ(content_of(*table, 0, blob), "content");
    // The blob is still a stream for everyone else.
    EXPECT_THAT(decompressed(codec, blob), HasSubstr("headercontent"));
  }
}

TEST(ReadTable, AnnotationsVouchForTheTable) {
  const HandMade zstd = one_file("zstd");
  const std::string table = one_member("zstd", zstd.json, {});
  const std::string blob = zstd.data + seekable::skippable_frame(table);  // no footer at all
  for (const std::string prefix :
       {"io.github.containers.zstd-chunked.", "io.containers.zstd-chunked."}) {
    oci::Annotations annotations = {
        {prefix + "manifest-position",
         cat(zstd.data.size() + 8, ":", table.size(), ":", zstd.json.size(), ":1")},
        {prefix + "manifest-checksum", sha256_of(table).str()}};
    auto read = read_table_of_contents(layer_of(blob, "zstd", annotations), ranges_of(blob));
    ASSERT_TRUE(read.has_value());
    EXPECT_TRUE(read->verified);
    annotations[prefix + "manifest-checksum"] = sha256_of("another").str();
    EXPECT_EQ(code_thrown([&] {
                (void)read_table_of_contents(layer_of(blob, "zstd", annotations), ranges_of(blob));
              }),
              Errc::digest_mismatch);
    for (const char* position :
         {"1:2:3", "1:2:3:4", "1:99999:3:1", "1:0:3:1", "x:2:3:1", "18446744073709551615:2:3:1"}) {
      annotations[prefix + "manifest-position"] = position;
      EXPECT_THROW(
          (void)read_table_of_contents(layer_of(blob, "zstd", annotations), ranges_of(blob)), Error)
          << position;
    }
  }
  const HandMade gzip = one_file("gzip");
  const std::string stargz = gzip.gzip();
  const std::string key = "containerd.io/snapshot/stargz/toc.digest";
  const auto good = read_table_of_contents(
      layer_of(stargz, "gzip", oci::Annotations{{key, sha256_of(gzip.json).str()}}),
      ranges_of(stargz));
  EXPECT_TRUE(good->verified);
  EXPECT_EQ(code_thrown([&] {
              (void)read_table_of_contents(
                  layer_of(stargz, "gzip", oci::Annotations{{key, sha256_of("x").str()}}),
                  ranges_of(stargz));
            }),
            Errc::digest_mismatch);
  EXPECT_THROW((void)read_table_of_contents(
                   layer_of(gzip.data, "gzip", oci::Annotations{{key, sha256_of("x").str()}}),
                   ranges_of(gzip.data)),
               Error);
}

TEST(ReadTable, OrdinaryLayersHaveNone) {
  for (const std::string_view codec : {"zstd", "gzip", "identity"}) {
    const std::string blob = codec == "identity" ? "a tar" : one_member(codec, "a tar", {});
    EXPECT_FALSE(read_table_of_contents(layer_of(blob, codec), ranges_of(blob)).has_value());
  }
  // A footer of the other codec, or in an encrypted layer, is no footer.
  const std::string blob = one_file("zstd").zstd();
  EXPECT_FALSE(read_table_of_contents(layer_of(blob, "gzip"), ranges_of(blob)).has_value());
  oci::Descriptor encrypted = layer_of(blob, "zstd");
  encrypted.media_type += "+encrypted";
  EXPECT_FALSE(read_table_of_contents(encrypted, ranges_of(blob)).has_value());
}

TEST(ReadTable, ReadsChunksZerosAndSharedMembers) {
  HandMade layer;
  layer.add("zstd", "header");
  const std::uint64_t first = layer.add("zstd", "0123456789");
  const std::uint64_t second = layer.add("zstd", "abcde");
  layer.json = cat(
      R"({"version":1,"entries":[)", R"({"type":"reg","name":"holes","size":22,"offset":)", first,
      R"(,"chunkSize":10,"chunkDigest":)", quote(sha256_of("0123456789").str()),
      R"(},{"type":"chunk","name":"holes","chunkOffset":10,)",
      R"("chunkSize":7,"chunkType":"zeros"},{"type":"chunk","name":"holes","chunkOffset":17,"offset":)",
      second, R"(},{"type":"reg","name":"inner","size":2,"offset":)", first,
      R"(,"innerOffset":10}]})");
  layer.data.insert(static_cast<std::size_t>(second),
                    one_member("zstd", "xy", {}));  // shifts second
  const std::string moved = cat("\"offset\":", second);
  layer.json.replace(layer.json.find(moved), moved.size(),
                     cat("\"offset\":", second + one_member("zstd", "xy", {}).size()));
  const std::string blob = layer.zstd();
  const auto table = read_table_of_contents(layer_of(blob, "zstd"), ranges_of(blob));
  ASSERT_TRUE(table.has_value());
  EXPECT_EQ(content_of(*table, 0, blob), "0123456789"s + std::string(7, '\0') + "abcde");
  EXPECT_EQ(content_of(*table, 1, blob), "xy");
}

TEST(ReadTable, KnowsAttributesOfEveryType) {
  HandMade layer;
  layer.json = R"({"version":1,"x":[{"entries":{}}],"entries":[
    {"type":"dir","name":"./","mode":16877,"uid":1,"gid":2,"modtime":"2020-01-02T03:04:05.25+01:00",
     "xattrs":{"user.a":"AQI="},"userName":"u","accesstime":null,"unknown":{"deep":[{"a":[1.5,-3]}]}},
    {"type":"symlink","name":"l","linkName":"../x","mode":511},
    {"type":"hardlink","name":"h","linkName":"f"},
    {"type":"char","name":"c","devMajor":5,"devMinor":1},
    {"type":"block","name":"b","devMajor":8},
    {"type":"fifo","name":"p"},
    {"type":"reg","name":".prefetch.landmark"},
    {"type":"reg","name":"empty","offset":3}]})";
  layer.data = one_member("gzip", "x", {});
  const std::string blob = layer.gzip();
  const auto table = read_table_of_contents(layer_of(blob, "gzip"), ranges_of(blob));
  ASSERT_TRUE(table.has_value());
  ASSERT_EQ(table->entries.size(), 7U);  // without the landmark
  const Attributes& root = table->entries[0].attributes;
  EXPECT_EQ(root.type, FileType::directory);
  EXPECT_EQ(root.mode, 0755U);
  EXPECT_EQ(root.uid, 1U);
  EXPECT_EQ(root.mtime, (Timestamp{1577930645, 250'000'000}));
  EXPECT_EQ(root.xattrs.at("user.a"), "\x01\x02");
  EXPECT_EQ(table->entries[1].attributes.link_target, "../x");
  EXPECT_EQ(table->entries[2].link_to, "f");
  EXPECT_EQ(table->entries[3].attributes.device_major, 5U);
  EXPECT_EQ(table->entries[5].attributes.type, FileType::fifo);
  EXPECT_EQ(content_of(*table, 6, blob), "");
  EXPECT_THROW((void)content_of(*table, 0, blob), Error);
}

TEST(ReadTable, RefusesHostileTables) {
  const HandMade sound = one_file("zstd");
  const std::uint64_t offset = one_member("zstd", "header", {}).size();
  const std::uint64_t end = sound.data.size();
  const auto entry = [&](const std::string& members) {
    return cat(R"({"version":1,"entries":[{"type":"reg","name":"a",)", members, "}]}");
  };
  const std::string at = cat(R"("size":7,"offset":)", offset);
  const std::vector<std::pair<std::string, std::string>> tables = {
      {"", "not valid JSON"},
      {"[]", "the document is a list"},
      {"{}", "no version"},
      {R"({"version":2,"entries":[]})", "version 2"},
      {R"({"version":1})", "no entries"},
      {R"({"version":1,"entries":[]} x)", "not valid JSON"},
      {R"({"version":1,"entries":[],"entries":[]})", "occurs twice"},
      {R"({"version":1,"Entries":[]})", "spelled entries"},
      {R"({"version":1,"entries":{}})", "entries is an object"},
      {R"({"version":1,"entries":[1]})", "an entry is a number"},
      {R"({"version":1,"entries":[],"tarSplitDigest":"x"})", "digest"},
      {entry(R"("name":"b")"), "member name occurs twice"},
      {entry(R"("SIZE":1)"), "spelled size"},
      {entry(R"("size":"7")"), "size is a string"},
      {entry(R"("size":-7)"), "size is a negative number"},
      {entry(R"("size":7.5)"), "size is a fraction"},
      {entry(R"("size":9223372036854775807)"), "out of range"},
      {entry(R"("mode":[])"), "mode is a list"},
      {entry(R"("uid":4294967295)"), "uid"},
      {entry(R"("modtime":"yesterday")"), "time"},
      {entry(R"("xattrs":{"a":"*"})"), "base64"},
      {entry(R"("xattrs":{"a":"","a":""})"), "occurs twice"},
      {entry(R"("xattrs":{"a":{}})"), "xattrs is an object"},
      {entry(R"("digest":"sha256:12")"), "digest"},
      {entry(R"("digest":"md5:0123456789abcdef0123456789abcdef")"), "digest"},
      {entry(R"("size":7)"), "outside the data"},
      {entry(cat(R"("size":7,"offset":)", end)), "outside the data"},
      {entry(cat(R"("size":7,"offset":)", end + 1000)), "outside the data"},
      {entry(cat(at, R"(,"endOffset":)", offset)), "outside the data"},
      {entry(cat(at, R"(,"endOffset":)", end + 1)), "outside the data"},
      {entry(cat(at, R"(,"chunkOffset":1)")), "do not follow"},
      {entry(cat(at, R"(,"chunkSize":8)")), "do not hold"},
      {entry(cat(at, R"(,"chunkSize":6)")), "do not hold"},
      {entry(cat(at, R"(,"chunkType":"new")")), "unknown"},
      {entry(cat(at, R"(},{"type":"chunk","name":"b")")), "behind the file 'a'"},
      {entry(cat(at, R"(},{"type":"chunk","chunkOffset":7,"offset":2)")), "do not follow"},
      {entry(cat(at, R"(},{"type":"reg","name":"b",)", at)), "overlaps"},
      {entry(cat(at, R"(},{"type":"reg","name":"b","innerOffset":6,)", at)), "overlaps"},
      {entry(R"("size":0},{"type":"chunk","name":"a")"), "a chunk of no file"},
      {R"({"version":1,"entries":[{"type":"chunk","name":"a"}]})", "a chunk of no file"},
      {R"({"version":1,"entries":[{"type":"door","name":"a"}]})", "'door' is unknown"},
      {R"({"version":1,"entries":[{"name":"a"}]})", "unknown"},
      {R"({"version":1,"entries":[{"type":"symlink","name":"a"}]})", "without target"},
      {R"({"version":1,"entries":[{"type":"dir","name":"a\u0000"}]})", "NUL"},
      {R"({"version":1,"entries":[{"type":"dir","name":")" + std::string(70'000, 'n') + "\"}]}",
       "longer than"},
      {R"({"version":1,"entries":[{"type":"dir","name":")" +
           [] {
             std::string deep;
             for (int i = 0; i < 1001; ++i) deep += "d/";
             return deep;
           }() +
           "\"}]}",
       "deeper than"},
  };
  for (const auto& [json, message] : tables) {
    HandMade layer = sound;
    layer.json = json;
    const std::string blob = layer.zstd();
    try {
      (void)read_table_of_contents(layer_of(blob, "zstd"), ranges_of(blob));
      ADD_FAILURE() << json.substr(0, 200);
    } catch (const Error& e) {
      EXPECT_THAT(e.what(), HasSubstr(message)) << json.substr(0, 200);
    }
  }
}

TEST(ReadTable, LimitsWhatATableMayCost) {
  const HandMade layer = one_file("zstd");
  const std::string blob = layer.zstd();
  const oci::Descriptor descriptor = layer_of(blob, "zstd");
  const auto code = [&](const TableLimits& limits) {
    return code_thrown([&] { (void)read_table_of_contents(descriptor, ranges_of(blob), limits); });
  };
  EXPECT_EQ(code({.max_table_bytes = 20}), Errc::limit_exceeded);
  EXPECT_EQ(code({.max_table_bytes = layer.json.size() - 1}), Errc::limit_exceeded);
  EXPECT_EQ(code({.max_entries = 0}), Errc::limit_exceeded);
  // A table that decompresses to more than it says.
  HandMade bomb = layer;
  const std::string table = one_member("zstd", std::string(5'000'000, ' ') + layer.json, {});
  seekable::TablePlace place{.table = {bomb.data.size() + 8, table.size()},
                             .table_text_bytes = 100};
  const std::string big =
      bomb.data + seekable::skippable_frame(table) + seekable::zstd_chunked_footer(place);
  EXPECT_THROW((void)read_table_of_contents(layer_of(big, "zstd"), ranges_of(big),
                                            {.max_table_bytes = 1'000'000}),
               Error);
  EXPECT_THROW((void)read_table_of_contents(layer_of(big, "zstd"), ranges_of(big)), Error);
}

TEST(ReadTable, EstargzTablesMustBeThere) {
  HandMade layer = one_file("gzip");
  const std::uint64_t offset = layer.data.size();
  const auto with_table = [&](const std::string& stored) {
    return layer.data + stored + seekable::estargz_footer(offset);
  };
  for (const std::string& stored :
       {"garbage"s, one_member("gzip", "no tar", {}), one_member("gzip", "", {}),
        one_member("gzip", TarBuilder().file("another.json", layer.json).finish(), {}),
        one_member("gzip",
                   TarBuilder().file("stargz.index.json", layer.json).unfinished().substr(0, 600),
                   {}),
        one_member("gzip", TarBuilder().dir("stargz.index.json").finish(), {})}) {
    const std::string blob = with_table(stored);
    EXPECT_THROW((void)read_table_of_contents(layer_of(blob, "gzip"), ranges_of(blob)), Error);
  }
}

TEST(OpenChunk, ContentThatIsNotWhatTheTableSaysIsNeverAccepted) {
  const HandMade layer = one_file("zstd");
  std::string blob = layer.zstd();
  const auto table = read_table_of_contents(layer_of(blob, "zstd"), ranges_of(blob));
  const auto read_first = [&] { (void)content_of(*table, 0, blob); };
  EXPECT_NO_THROW(read_first());
  const std::string other = one_member("zstd", "CONTENT", {});
  std::string changed = blob;
  changed.replace(static_cast<std::size_t>(table->entries[0].chunks[0].stored.offset), other.size(),
                  other);
  std::swap(blob, changed);
  EXPECT_EQ(code_thrown(read_first), Errc::digest_mismatch);
  std::swap(blob, changed);
  // A file of two chunks whose whole is another than the table says.
  TableEntry entry = table->entries[0];
  entry.digest = sha256_of("something else");
  const ReadRange read = ranges_of(blob);
  EXPECT_EQ(code_thrown([&] { (void)read_all(*open_file(table->format, entry, read), 99, "f"); }),
            Errc::digest_mismatch);
  TableChunk longer = entry.chunks[0];
  longer.size = 100;
  longer.digest.reset();
  EXPECT_EQ(
      code_thrown([&] { (void)read_all(*open_chunk(table->format, longer, read), 999, "c"); }),
      Errc::invalid_content);
}

}  // namespace
}  // namespace lade
