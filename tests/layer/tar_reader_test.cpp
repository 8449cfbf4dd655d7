#include <fcntl.h>

#include "libimage/base/error.h"

#include "tests/layer/trees.h"
#include "tests/support/tar_builder.h"

namespace lade {
namespace {

using testing::RawHeader;
using testing::TarBuilder;

/// Every entry on a line: path, letter, size, content.
std::string listing(const std::string& tar, const ApplyLimits& limits = {}) {
  StringSource source(tar);
  TarReader reader(source, limits);
  std::string text;
  while (const std::optional<TarEntry> entry = reader.next()) {
    text += entry->path + " " + testing::letter_of(entry->attributes.type);
    if (entry->kind == LayerEntry::Kind::hardlink) text += " = " + entry->link_to;
    std::byte buffer[100];
    std::string content;
    while (const std::size_t got = reader.read(buffer))
      content += chars_of(std::span(buffer).first(got));
    if (!content.empty()) text += " " + content;
    text += "\n";
  }
  reader.drain_rest();
  return text;
}

TarEntry first_of(const std::string& tar) {
  StringSource source(tar);
  TarReader reader(source);
  std::optional<TarEntry> entry = reader.next();
  EXPECT_TRUE(entry.has_value());
  return entry.value_or(TarEntry{});
}

void expect_refused(const std::string& tar, Errc code, const std::string& words,
                    const ApplyLimits& limits = {}) {
  try {
    const std::string text = listing(tar, limits);
    ADD_FAILURE() << "accepted: " << text;
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), code) << e.what();
    EXPECT_NE(std::string(e.what()).find(words), std::string::npos) << e.what();
  }
}

std::string record(std::string_view key, std::string_view value) {
  return TarBuilder::record(key, value);
}

TEST(TarReader, ReadsUstarPrefixes) {
  EXPECT_EQ(listing(TarBuilder().raw({.name = "b", .prefix = "long/a"}).finish()), "long/a/b f\n");
}

TEST(TarReader, TakesNoPrefixFromGnuAndV7Headers) {
  EXPECT_EQ(listing(TarBuilder()
                        .raw({.name = "b", .prefix = "x", .magic = TarBuilder::gnu_magic()})
                        .finish()),
            "b f\n");
  EXPECT_EQ(
      listing(TarBuilder().raw({.name = "b", .type = '\0', .prefix = "x", .magic = ""}).finish()),
      "b f\n");
}

TEST(TarReader, ReadsV7Directories) {
  EXPECT_EQ(listing(TarBuilder().raw({.name = "d/", .type = '\0', .magic = ""}).finish()),
            "d/ d\n");
}

TEST(TarReader, ReadsContiguousFilesAsFiles) {
  EXPECT_EQ(listing(TarBuilder().raw({.name = "c", .type = '7', .size = 2}).content("hi").finish()),
            "c f hi\n");
}

TEST(TarReader, ReadsGnuLongNamesAndLinks) {
  const std::string name(300, 'n');
  EXPECT_EQ(
      listing(TarBuilder().gnu_long('K', "target").gnu_long('L', name).hardlink("n", "t").finish()),
      name + " f = target\n");
}

TEST(TarReader, ReadsBase256Numbers) {
  const auto with = [](std::size_t at, std::size_t size, std::string_view value) {
    return TarBuilder()
        .raw({.name = "a"},
             [&](std::array<char, 512>& block) {
               std::memset(block.data() + at, 0, size);
               std::memcpy(block.data() + at + size - value.size(), value.data(), value.size());
               block[at] = static_cast<char>(static_cast<unsigned char>(block[at]) | 0x80U);
             })
        .finish();
  };
  EXPECT_EQ(first_of(with(108, 8, std::string("\x20\x00\x00\x01", 4))).attributes.uid, 0x20000001U);
  EXPECT_EQ(first_of(with(136, 12, std::string(12, '\xff'))).attributes.mtime.seconds, -1);
  expect_refused(with(136, 12, std::string(1, '\x40') + std::string(11, '\0')),
                 Errc::invalid_content, "mtime");
  expect_refused(with(124, 12, std::string(12, '\xff')), Errc::invalid_content, "size");
  expect_refused(with(108, 8, std::string("\xff\xff\xff\xff", 4)), Errc::invalid_content, "uid");
}

TEST(TarReader, RefusesMalformedNumbers) {
  for (const std::string bad : {"0000z00", "-000001", "00 00 1", "0x00010", "8888888"}) {
    expect_refused(TarBuilder()
                       .raw({.name = "a"},
                            [&](std::array<char, 512>& block) {
                              std::memcpy(block.data() + 108, bad.data(), 7);
                            })
                       .finish(),
                   Errc::invalid_content, "uid");
  }
}

TEST(TarReader, RefusesWrongChecksums) {
  std::string tar = TarBuilder().file("a", "x").finish();
  tar[0] = 'b';
  expect_refused(tar, Errc::invalid_content, "not a tar stream");
  std::string second = TarBuilder().file("a", "x").file("b").finish();
  second[1024] = 'c';
  expect_refused(second, Errc::invalid_content, "checksum");
}

TEST(TarReader, AcceptsSignedChecksums) {
  std::string tar = TarBuilder().file("\xff\xff").finish();
  std::int64_t sum = 0;
  for (std::size_t i = 0; i < 512; ++i) {
    sum += i >= 148 && i < 156 ? ' ' : static_cast<signed char>(tar[i]);
  }
  tar.replace(148, 6, TarBuilder::octal(static_cast<std::uint64_t>(sum), 6));
  EXPECT_EQ(listing(tar), "\xff\xff f\n");
}

TEST(TarReader, PaxValuesReplaceTheHeaders) {
  const TarEntry entry = first_of(
      TarBuilder()
          .pax(record("path", "p/q") + record("uid", "3000000") + record("gid", "7") +
               record("mtime", "-1.25") + record("SCHILY.xattr.user.a", std::string("\0\n=", 3)) +
               record("comment", "ignored") + record("uname", "nobody") +
               record("hdrcharset", "BINARY"))
          .file("x")
          .finish());
  EXPECT_EQ(entry.path, "p/q");
  EXPECT_EQ(entry.attributes.uid, 3'000'000U);
  EXPECT_EQ(entry.attributes.gid, 7U);
  EXPECT_EQ(entry.attributes.mtime, (Timestamp{-2, 750'000'000}));
  EXPECT_EQ(entry.attributes.xattrs.at("user.a"), std::string("\0\n=", 3));
}

TEST(TarReader, PaxAppliesToOneEntryOnly) {
  EXPECT_EQ(listing(TarBuilder().pax(record("path", "p")).file("x", "1").file("y", "2").finish()),
            "p f 1\ny f 2\n");
}

TEST(TarReader, PaxSizeIsForTheEntryAndNotForHeadersBetween) {
  // CVE-2025-62518: a reader that applied the PAX size to the 'L' header would see other entries.
  const std::string tar = TarBuilder()
                              .pax(record("size", "600"))
                              .gnu_long('L', "long")
                              .raw({.name = "x", .size = 0})
                              .content(std::string(600, 'c'))
                              .file("after", "a")
                              .finish();
  EXPECT_EQ(listing(tar), "long f " + std::string(600, 'c') + "\nafter f a\n");
}

TEST(TarReader, PaxSizeHidesNoEntries) {
  // The inner tar is content for those who read the PAX size, entries for those who read the field.
  const std::string inner = TarBuilder().file("smuggled", "s").unfinished();
  const std::string tar = TarBuilder()
                              .pax(record("size", std::to_string(inner.size())))
                              .raw({.name = "outer", .size = 0})
                              .content(inner)
                              .finish();
  EXPECT_EQ(listing(tar), "outer f " + inner + "\n");
}

TEST(TarReader, GlobalHeadersApplyToAllThatFollows) {
  const std::string tar = TarBuilder()
                              .pax(record("uid", "5") + record("comment", "c"), 'g')
                              .file("x")
                              .file("y")
                              .finish();
  StringSource source(tar);
  TarReader reader(source);
  EXPECT_EQ(reader.next()->attributes.uid, 5U);
  EXPECT_EQ(reader.next()->attributes.uid, 5U);
}

TEST(TarReader, RefusesGlobalHeadersThatSayWhereThingsAre) {
  for (const std::string key : {"path", "linkpath", "size", "GNU.sparse.map"}) {
    expect_refused(TarBuilder().pax(record(key, "1"), 'g').file("x").finish(),
                   Errc::invalid_content, "global");
  }
}

TEST(TarReader, RefusesMalformedPaxRecords) {
  for (const std::string body :
       {"garbage", "5 a=b", "99 path=x\n", "3 a\n", "4 =\n\n", "0 a=b\n", "-6 a=b\n", "x6 a=b\n",
        "6 a=bc", "6 a=bb6 a=b\n", "18446744073709551617 a=b\n", " 6 a=b\n"}) {
    expect_refused(TarBuilder().pax(body).file("x").finish(), Errc::invalid_content, "PAX header");
  }
  expect_refused(TarBuilder().pax(record("path", std::string("a\0b", 3))).file("x").finish(),
                 Errc::invalid_content, "NUL");
  expect_refused(
      TarBuilder().pax(record("linkpath", std::string("a\0b", 3))).hardlink("x", "y").finish(),
      Errc::invalid_content, "NUL");
  expect_refused(TarBuilder().pax(record(std::string("pa\0th", 5), "x")).file("x").finish(),
                 Errc::invalid_content, "NUL");
  for (const auto& [key, value] :
       std::map<std::string, std::string>{{"size", "-1"},
                                          {"size", "1e3"},
                                          {"uid", "0x1"},
                                          {"uid", "4294967295"},
                                          {"mtime", "yesterday"},
                                          {"mtime", "1.x"},
                                          {"gid", "99999999999999999999999"}}) {
    expect_refused(TarBuilder().pax(record(key, value)).file("x").finish(), Errc::invalid_content,
                   "");
  }
}

TEST(TarReader, RefusesTwoReadingsOfOneEntry) {
  expect_refused(TarBuilder().pax(record("path", "a")).gnu_long('L', "b").file("x").finish(),
                 Errc::invalid_content, "disagree");
  expect_refused(TarBuilder().pax(record("path", "a")).pax(record("uid", "1")).file("x").finish(),
                 Errc::invalid_content, "two 'x'");
  expect_refused(TarBuilder().gnu_long('L', "a").gnu_long('L', "b").file("x").finish(),
                 Errc::invalid_content, "two 'L'");
  expect_refused(TarBuilder().pax(record("path", "a")).finish(), Errc::invalid_content,
                 "ends after an extended header");
}

TEST(TarReader, RefusesTypesItDoesNotKnow) {
  for (const char type : {'V', 'M', 'D', 'N', 'X', 'A', '9', '\x7f'}) {
    expect_refused(TarBuilder().raw({.name = "v", .type = type}).finish(), Errc::unsupported,
                   "not supported");
  }
}

TEST(TarReader, RefusesContentOfWhatIsNoFile) {
  for (const char type : {'3', '4', '5', '6'}) {
    expect_refused(TarBuilder()
                       .raw({.name = "d", .type = type, .size = 5, .major = 1})
                       .content("hello")
                       .finish(),
                   Errc::invalid_content, "content for something");
  }
  expect_refused(TarBuilder().file("f/", "x").finish(), Errc::invalid_content, "ends in '/'");
}

TEST(TarReader, EndsAtTwoZeroBlocksOrAtTheStreamsEnd) {
  const TarBuilder tar = TarBuilder().file("a", "x");
  EXPECT_EQ(listing(tar.finish()), "a f x\n");
  EXPECT_EQ(listing(tar.unfinished() + std::string(512, '\0')), "a f x\n");
  EXPECT_EQ(listing(tar.unfinished()), "a f x\n");
  EXPECT_EQ(listing(""), "");
  EXPECT_EQ(listing(tar.finish() + "whatever follows"), "a f x\n");
}

TEST(TarReader, AcceptsAMissingPaddingAtTheEnd) {  // umoci 0.4.7
  EXPECT_EQ(listing(TarBuilder().raw({.name = "a", .size = 3}).bytes("abc").unfinished()),
            "a f abc\n");
}

TEST(TarReader, RefusesTruncatedStreams) {
  const std::string tar = TarBuilder().file("a", std::string(600, 'x')).unfinished();
  expect_refused(tar.substr(0, 511), Errc::invalid_content, "inside a header");
  expect_refused(tar.substr(0, 513), Errc::invalid_content, "inside the content of 'a'");
  expect_refused(tar.substr(0, 512 + 599), Errc::invalid_content, "inside the content of 'a'");
  expect_refused(TarBuilder().raw({.name = "x", .type = 'x', .size = 100}).bytes("12").unfinished(),
                 Errc::invalid_content, "inside an extended header");
  expect_refused(std::string(512, '\0') + tar, Errc::invalid_content, "lone block of zeros");
}

TEST(TarReader, BoundsWhatALayerMayHold) {
  ApplyLimits limits;
  limits.max_entries = 3;
  const auto files = [](int count) {
    TarBuilder tar;
    for (int i = 0; i < count; ++i) tar.file("f");
    return tar.finish();
  };
  EXPECT_EQ(listing(files(3), limits), "f f\nf f\nf f\n");
  expect_refused(files(4), Errc::limit_exceeded, "entries", limits);

  limits = {};
  limits.max_bytes = 5;
  EXPECT_EQ(listing(TarBuilder().file("a", "12").file("b", "345").finish(), limits),
            "a f 12\nb f 345\n");
  expect_refused(TarBuilder().file("a", "12").file("b", "3456").finish(), Errc::limit_exceeded,
                 "bytes", limits);

  limits = {};
  limits.max_pax_records = 2;
  expect_refused(
      TarBuilder().pax(record("a", "1") + record("b", "1") + record("c", "1")).file("x").finish(),
      Errc::limit_exceeded, "records", limits);
}

TEST(TarReader, BoundsExtendedHeadersBeforeReadingThem) {
  expect_refused(TarBuilder().raw({.name = "x", .type = 'x', .size = 8'589'934'591}).unfinished(),
                 Errc::limit_exceeded, "extended header");
  expect_refused(TarBuilder().raw({.name = "x", .type = 'L', .size = 1'048'577}).unfinished(),
                 Errc::limit_exceeded, "extended header");
}

TEST(TarReader, RefusesSizesBeyondTheLimitWithoutReading) {
  expect_refused(TarBuilder().pax(record("size", "4611686018427387904")).file("x").unfinished(),
                 Errc::limit_exceeded, "bytes");
  expect_refused(TarBuilder().pax(record("size", "9223372036854775808")).file("x").unfinished(),
                 Errc::invalid_content, "size");
}

/// A sparse file "AB......CD" (10 bytes, holes at 2 to 7) in each of the four forms.
std::string old_gnu_sparse(std::string_view pairs = {}) {
  return TarBuilder()
      .raw({.name = "s", .type = 'S', .size = 4, .magic = TarBuilder::gnu_magic()},
           [&](std::array<char, 512>& block) {
             std::memset(block.data() + 345, 0, 155);
             const std::string map = TarBuilder::octal(0, 11) + '\0' + TarBuilder::octal(2, 11) +
                                     '\0' + TarBuilder::octal(8, 11) + '\0' +
                                     TarBuilder::octal(2, 11) + '\0';
             const std::string_view use = pairs.empty() ? std::string_view(map) : pairs;
             std::memcpy(block.data() + 386, use.data(), use.size());
             std::memcpy(block.data() + 483, TarBuilder::octal(10, 11).data(), 11);
           })
      .content("ABCD")
      .file("next", "n")
      .finish();
}

const std::string kSparseListing = "s f AB" + std::string(6, '\0') + "CD\nnext f n\n";

TEST(TarReader, ReadsOldGnuSparseFiles) { EXPECT_EQ(listing(old_gnu_sparse()), kSparseListing); }

TEST(TarReader, ReadsPaxSparseFilesOfFormat00) {
  EXPECT_EQ(listing(TarBuilder()
                        .pax(record("GNU.sparse.size", "10") + record("GNU.sparse.numblocks", "2") +
                             record("GNU.sparse.offset", "0") + record("GNU.sparse.numbytes", "2") +
                             record("GNU.sparse.offset", "8") + record("GNU.sparse.numbytes", "2"))
                        .file("s", "ABCD")
                        .file("next", "n")
                        .finish()),
            kSparseListing);
}

TEST(TarReader, ReadsPaxSparseFilesOfFormat01) {
  EXPECT_EQ(listing(TarBuilder()
                        .pax(record("GNU.sparse.size", "10") + record("GNU.sparse.numblocks", "2") +
                             record("GNU.sparse.name", "s") + record("GNU.sparse.map", "0,2,8,2"))
                        .file("GNUSparseFile.1/s", "ABCD")
                        .file("next", "n")
                        .finish()),
            kSparseListing);
}

std::string sparse_10(const std::string& map) {
  std::string body = map;
  body.resize(512, '\0');
  return TarBuilder()
      .pax(record("GNU.sparse.major", "1") + record("GNU.sparse.minor", "0") +
           record("GNU.sparse.name", "s") + record("GNU.sparse.realsize", "10"))
      .file("GNUSparseFile.1/s", body + "ABCD")
      .file("next", "n")
      .finish();
}

TEST(TarReader, ReadsPaxSparseFilesOfFormat10) {
  EXPECT_EQ(listing(sparse_10("2\n0\n2\n8\n2\n")), kSparseListing);
}

TEST(TarReader, RefusesBrokenSparseMaps) {
  for (const std::string map :
       {"2\n0\n2\n1\n2\n", "2\n8\n2\n0\n2\n", "1\n0\n3\n", "2\n0\n2\n9\n2\n", "x\n",
        "9999999\n0\n2\n8\n2\n", "2\n0\n2\n18446744073709551615\n2\n", "1\n-1\n4\n"}) {
    expect_refused(sparse_10(map), Errc::invalid_content, "sparse map");
  }
  expect_refused(TarBuilder()
                     .pax(record("GNU.sparse.size", "9") + record("GNU.sparse.map", "0,1,5"))
                     .file("s")
                     .finish(),
                 Errc::invalid_content, "odd");
  expect_refused(TarBuilder().pax(record("GNU.sparse.map", "0,0")).file("s").finish(),
                 Errc::invalid_content, "real size");
  expect_refused(TarBuilder()
                     .pax(record("GNU.sparse.major", "2") + record("GNU.sparse.size", "0"))
                     .file("s")
                     .finish(),
                 Errc::unsupported, "format 2.0");
}

TEST(TarReader, CountsHolesAsSize) {
  ApplyLimits limits;
  limits.max_bytes = 1'000'000;
  expect_refused(TarBuilder()
                     .pax(record("GNU.sparse.size", "1000001") + record("GNU.sparse.map", ""))
                     .file("s")
                     .finish(),
                 Errc::limit_exceeded, "bytes", limits);
  expect_refused(TarBuilder()
                     .pax(record("GNU.sparse.size", "1000001") + record("GNU.sparse.map", "0,0"))
                     .file("s")
                     .finish(),
                 Errc::limit_exceeded, "bytes", limits);
}

TEST(TarReader, SkipsContentThatNobodyReads) {
  const std::string tar = TarBuilder().file("a", std::string(5000, 'x')).file("b", "y").finish();
  StringSource source(tar);
  TarReader reader(source);
  std::string names;
  while (const std::optional<TarEntry> entry = reader.next()) names += entry->path;
  EXPECT_EQ(names, "ab");
}

}  // namespace
}  // namespace lade
