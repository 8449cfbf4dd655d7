#include "libimage/base/text.h"

#include <limits>

#include <gtest/gtest.h>

namespace lade {
namespace {

TEST(Cat, JoinsStringsCharactersAndNumbers) {
  EXPECT_EQ(cat(), "");
  EXPECT_EQ(cat("a", 'b', std::string("c"), std::string_view("d"), 1, -2, 3U), "abcd1-23");
  EXPECT_EQ(cat(std::numeric_limits<std::int64_t>::min()), "-9223372036854775808");
  EXPECT_EQ(cat(std::numeric_limits<std::uint64_t>::max()), "18446744073709551615");
  EXPECT_EQ(cat(1.5), "1.5");
}

TEST(Quoted, MakesUntrustedTextHarmless) {
  EXPECT_EQ(quoted("plain"), "'plain'");
  EXPECT_EQ(quoted(""), "''");
  EXPECT_EQ(quoted("it's \\"), R"('it\'s \\')");
  EXPECT_EQ(quoted("a\x1b[31m\n\t\x7f"), R"('a\x1b[31m\x0a\x09\x7f')");
  EXPECT_EQ(quoted(std::string_view("\0", 1)), R"('\x00')");
  EXPECT_EQ(quoted("\xC2\x9B"
                   "31m"),
            R"('\xc2\x9b31m')");
  EXPECT_EQ(quoted("\xFF\xC3("), R"('\xff\xc3(')");
  EXPECT_EQ(quoted("é€😀"), "'é€😀'");
}

TEST(Printable, KeepsQuotesAsTheyAre) { EXPECT_EQ(printable("it's \\ \x1b"), R"(it's \ \x1b)"); }

TEST(Split, HasOneMorePieceThanSeparators) {
  EXPECT_EQ(split("", ','), (std::vector<std::string_view>{""}));
  EXPECT_EQ(split("a", ','), (std::vector<std::string_view>{"a"}));
  EXPECT_EQ(split(",a,,b,", ','), (std::vector<std::string_view>{"", "a", "", "b", ""}));
}

TEST(Trimmed, TakesBlanksFromBothEnds) {
  EXPECT_EQ(trimmed(" \t\r\na b\n"), "a b");
  EXPECT_EQ(trimmed(" \n"), "");
  EXPECT_EQ(trimmed(""), "");
}

TEST(LowerCase, ChangesAsciiOnly) { EXPECT_EQ(lower_case("AZaz09-\xC3\x89"), "azaz09-\xC3\x89"); }

TEST(ParseDecimal, ReadsTheWholeTextOrNothing) {
  EXPECT_EQ(parse_decimal("0"), 0U);
  EXPECT_EQ(parse_decimal("007"), 7U);
  EXPECT_EQ(parse_decimal("18446744073709551615"), 18446744073709551615U);
  for (const char* bad :
       {"", "-1", "+1", " 1", "1 ", "1.0", "0x1", "1e3", "18446744073709551616", "a"}) {
    EXPECT_EQ(parse_decimal(bad), std::nullopt) << bad;
  }
}

TEST(Nearest, FindsTheWordThatWasMeant) {
  const std::vector<std::string> words = {"docker", "oci", "oci-archive", "dir"};
  EXPECT_EQ(nearest("dokcer", words), "docker");
  EXPECT_EQ(nearest("oci-archve", words), "oci-archive");
  EXPECT_EQ(nearest("oc", words), "oci");
  EXPECT_EQ(nearest("docker", words), "docker");
  EXPECT_EQ(nearest("podman", words), std::nullopt);
  EXPECT_EQ(nearest("", words), std::nullopt);
  EXPECT_EQ(nearest("x", {}), std::nullopt);
}

TEST(Utf8, IsCheckedStrictly) {
  for (const std::string_view good :
       {"", "a", "\x7F", "é", "€", "😀", "\xF4\x8F\xBF\xBF", "\xED\x9F\xBF", "\xEE\x80\x80"}) {
    EXPECT_TRUE(is_utf8(good)) << good;
  }
  EXPECT_TRUE(is_utf8(std::string_view("\0", 1)));
  for (const std::string_view bad :
       {"\x80", "\xC0\x80", "\xC1\xBF", "\xC3", "\xC3(", "\xE0\x80\x80", "\xE0\x9F\xBF",
        "\xED\xA0\x80", "\xED\xBF\xBF", "\xE2\x82", "\xF0\x80\x80\x80", "\xF0\x8F\xBF\xBF",
        "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xFF", "a\xFE"}) {
    EXPECT_FALSE(is_utf8(bad)) << quoted(bad);
  }
}

TEST(HumanSize, UsesPowersOfAThousand) {
  EXPECT_EQ(human_size(0), "0 B");
  EXPECT_EQ(human_size(999), "999 B");
  EXPECT_EQ(human_size(1000), "1.0 kB");
  EXPECT_EQ(human_size(1550), "1.5 kB");
  EXPECT_EQ(human_size(99'999), "99.9 kB");
  EXPECT_EQ(human_size(100'000), "100 kB");
  EXPECT_EQ(human_size(999'999), "999 kB");
  EXPECT_EQ(human_size(1'000'000), "1.0 MB");
  EXPECT_EQ(human_size(23'400'000'000), "23.4 GB");
  EXPECT_EQ(human_size(std::numeric_limits<std::uint64_t>::max()), "18.4 EB");
}

}  // namespace
}  // namespace lade
