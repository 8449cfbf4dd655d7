// Footers byte by byte, as the formats' descriptions have them.
#include "libimage/seekable/footer.h"

#include <gtest/gtest.h>

#include "libimage/base/error.h"

namespace lade {
namespace {

using namespace std::string_literals;
using namespace lade::seekable;

std::string number(std::uint64_t value) {
  std::string text;
  for (int i = 0; i < 8; ++i) text += static_cast<char>(value >> (8 * i) & 0xFF);
  return text;
}

TEST(Footer, ContainersStorage) {
  const std::string footer = "\x50\x2A\x4D\x18\x40\0\0\0"s + number(1000) + number(20) +
                             number(300) + number(1) + number(1028) + number(30) + number(400) +
                             "GNUlInUx";
  const auto place = parse_footer(footer, 1130);
  ASSERT_TRUE(place.has_value());
  EXPECT_EQ(place->format, TableFormat::zstd_chunked);
  EXPECT_EQ(place->table, (BlobRange{1000, 20}));
  EXPECT_EQ(place->table_text_bytes, 300U);
  EXPECT_EQ(place->tar_split, (BlobRange{1028, 30}));
  EXPECT_EQ(place->tar_split_text_bytes, 400U);
  EXPECT_EQ(zstd_chunked_footer(*place), footer);
}

TEST(Footer, ContainersStorageOfOldHasNoTarSplit) {
  const std::string footer = "\x50\x2A\x4D\x18\x40\0\0\0"s + number(1000) + number(20) +
                             number(300) + number(1) + std::string(24, '\0') + "GNUlInUx";
  const auto place = parse_footer(footer, 1092);
  ASSERT_TRUE(place.has_value());
  EXPECT_FALSE(place->tar_split.has_value());
}

TEST(Footer, StargzSnapshotterZstd) {
  const std::string footer = "\x50\x2A\x4D\x18\x28\0\0\0"s + number(500) + number(60) +
                             number(700) + number(1) + "GnUlInUx";
  const auto place = parse_footer("anything before it" + footer, 608);
  ASSERT_TRUE(place.has_value());
  EXPECT_EQ(place->format, TableFormat::zstd_chunked_snapshotter);
  EXPECT_EQ(place->table, (BlobRange{500, 60}));
  EXPECT_EQ(place->table_text_bytes, 700U);
}

TEST(Footer, Estargz) {
  const std::string footer = "\x1F\x8B\x08\x04\0\0\0\0\0\xFF\x1A\0SG\x16\0"s +
                             "00000000000001a4STARGZ\x01\0\0\xFF\xFF\0\0\0\0\0\0\0\0"s;
  ASSERT_EQ(footer.size(), 51U);
  EXPECT_EQ(estargz_footer(0x1A4), footer);
  const auto place = parse_footer("0123456789" + footer, 1000);
  ASSERT_TRUE(place.has_value());
  EXPECT_EQ(place->format, TableFormat::estargz);
  EXPECT_EQ(place->table, (BlobRange{420, 1000 - 51 - 420}));
}

TEST(Footer, Stargz) {
  const std::string footer = "\x1F\x8B\x08\x04\0\0\0\0\0\xFF\x16\0"s +
                             "00000000000001a4STARGZ\x01\0\0\xFF\xFF\0\0\0\0\0\0\0\0"s;
  ASSERT_EQ(footer.size(), 47U);
  const auto place = parse_footer(footer, 1000);
  ASSERT_TRUE(place.has_value());
  EXPECT_EQ(place->format, TableFormat::stargz);
  EXPECT_EQ(place->table, (BlobRange{420, 1000 - 47 - 420}));
}

TEST(Footer, OtherBytesAreNone) {
  EXPECT_FALSE(parse_footer("", 0).has_value());
  EXPECT_FALSE(parse_footer("GNUlInUx", 8).has_value());
  EXPECT_FALSE(parse_footer(std::string(72, '\0'), 72).has_value());
  std::string footer = estargz_footer(7);
  footer[12] = 'X';
  EXPECT_FALSE(parse_footer(footer, 1000).has_value());
  // The table is in another blob: there is none here.
  const std::string external = "\x1F\x8B\x08\x04\0\0\0\0\0\xFF\x15\0SG\x11\0STARGZEXTERNALTOC"s +
                               "\x01\0\0\xFF\xFF\0\0\0\0\0\0\0\0"s;
  EXPECT_FALSE(parse_footer(external, 1000).has_value());
}

TEST(Footer, PlacesOutsideTheBlobAreRefused) {
  const auto storage = [](std::uint64_t offset, std::uint64_t size, std::uint64_t type) {
    return parse_footer("\x50\x2A\x4D\x18\x28\0\0\0"s + number(offset) + number(size) + number(9) +
                            number(type) + "GnUlInUx",
                        1048);
  };
  EXPECT_TRUE(storage(990, 10, 1).has_value());
  EXPECT_THROW(storage(991, 10, 1), Error);
  EXPECT_THROW(storage(~std::uint64_t{0}, 10, 1), Error);
  EXPECT_THROW(storage(990, ~std::uint64_t{0}, 1), Error);
  EXPECT_THROW(storage(990, 0, 1), Error);
  EXPECT_THROW(storage(990, 10, 2), Error);
  EXPECT_THROW(parse_footer(estargz_footer(949), 1000), Error);
  EXPECT_THROW(parse_footer(estargz_footer(~std::uint64_t{0}), 1000), Error);
  std::string letters = estargz_footer(1);
  letters[20] = 'g';
  EXPECT_THROW(parse_footer(letters, 1000), Error);
}

}  // namespace
}  // namespace lade
