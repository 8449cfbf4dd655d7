#include "libimage/name/semver.h"

#include <gtest/gtest.h>

#include "libimage/base/error.h"

namespace lade {
namespace {

SemanticVersion version(std::string_view text) {
  const auto parsed = SemanticVersion::try_parse(text);
  EXPECT_TRUE(parsed) << text;
  return parsed.value_or(SemanticVersion{});
}

TEST(SemanticVersion, ReadsWhatTagsUse) {
  EXPECT_EQ(version("1.2.3"), (SemanticVersion{1, 2, 3, ""}));
  EXPECT_EQ(version("v1.2.3"), (SemanticVersion{1, 2, 3, ""}));
  EXPECT_EQ(version("1"), (SemanticVersion{1, 0, 0, ""}));
  EXPECT_EQ(version("1.2"), (SemanticVersion{1, 2, 0, ""}));
  EXPECT_EQ(version("2024.01.05"), (SemanticVersion{2024, 1, 5, ""}));
  EXPECT_EQ(version("20240105"), (SemanticVersion{20240105, 0, 0, ""}));
  EXPECT_EQ(version("1.2.3-rc.1"), (SemanticVersion{1, 2, 3, "rc.1"}));
  EXPECT_EQ(version("1.2.3-rc.1+build.7"), (SemanticVersion{1, 2, 3, "rc.1"}));
  EXPECT_EQ(version("1.2.3+build-7"), (SemanticVersion{1, 2, 3, ""}));
  EXPECT_EQ(version("1.2-alpine3.19"), (SemanticVersion{1, 2, 0, "alpine3.19"}));
  EXPECT_EQ(version("9007199254740991.0.0").major, 9007199254740991U);
}

TEST(SemanticVersion, IsNoOtherTag) {
  for (const char* text : {"",
                           "v",
                           "latest",
                           "1.2.3.4",
                           "1.",
                           ".1",
                           "1..2",
                           "1.2.x",
                           "-1",
                           "1.2.3-",
                           "1.2.3-rc..1",
                           "1.2.3-01",
                           "1.2.3-r_c",
                           "1.2.3+",
                           "1.2.3+a+b",
                           " 1.2.3",
                           "1.2.3 ",
                           "vv1",
                           "1.a",
                           "1_2",
                           "9007199254740992.0.0",
                           "99999999999999999999",
                           "sha256-abc",
                           "=1.2.3"}) {
    EXPECT_FALSE(SemanticVersion::try_parse(text)) << text;
  }
}

TEST(SemanticVersion, IsOrderedByPrecedence) {
  const char* ascending[] = {"0.0.0-0",
                             "0.0.0",
                             "0.0.1",
                             "0.9.9",
                             "1.0.0-0",
                             "1.0.0-2",
                             "1.0.0-11",
                             "1.0.0-18446744073709551616",
                             "1.0.0-alpha",
                             "1.0.0-alpha.1",
                             "1.0.0-alpha.beta",
                             "1.0.0-beta",
                             "1.0.0-beta.2",
                             "1.0.0-beta.11",
                             "1.0.0-rc.1",
                             "1.0.0",
                             "1.0.1",
                             "1.1.0",
                             "1.10.0",
                             "2.0.0",
                             "10.0.0"};
  for (std::size_t i = 0; i < std::size(ascending); ++i) {
    for (std::size_t j = 0; j < std::size(ascending); ++j) {
      EXPECT_EQ(version(ascending[i]) <=> version(ascending[j]), i <=> j)
          << ascending[i] << " and " << ascending[j];
    }
  }
  EXPECT_EQ(version("1.0.0+a") <=> version("1.0.0+b"), std::strong_ordering::equal);
}

struct Case {
  const char* range;
  std::vector<const char*> in, out;
};

void check(const Case& row, SemverRange::Prereleases prereleases) {
  SCOPED_TRACE(row.range);
  const SemverRange range = SemverRange::parse(row.range, prereleases);
  for (const char* text : row.in) EXPECT_TRUE(range.contains(version(text))) << text;
  for (const char* text : row.out) EXPECT_FALSE(range.contains(version(text))) << text;
}

TEST(SemverRange, HoldsWhatNpmHolds) {
  const Case table[] = {
      {"1.2.3", {"1.2.3", "v1.2.3", "1.2.3+b"}, {"1.2.2", "1.2.4", "1.2.3-rc"}},
      {"=1.2.3", {"1.2.3"}, {"1.2.4"}},
      {"==v1.2.3", {"1.2.3"}, {"1.2.4"}},
      {"1.2.3-rc.1", {"1.2.3-rc.1"}, {"1.2.3", "1.2.3-rc.2"}},
      {"1.2", {"1.2.0", "1.2.99"}, {"1.1.9", "1.3.0", "1.3.0-0", "1.2.0-rc"}},
      {"1.2.x", {"1.2.0", "1.2.99"}, {"1.3.0"}},
      {"1.2.*", {"1.2.0", "1.2.99"}, {"1.3.0"}},
      {"1.X.3", {"1.0.0", "1.9.9"}, {"2.0.0", "0.9.9"}},
      {"1", {"1.0.0", "1.9.9"}, {"2.0.0", "0.9.9", "2.0.0-0"}},
      {"*", {"0.0.0", "99.0.0"}, {"1.0.0-rc"}},
      {"", {"0.0.0", "99.0.0"}, {"1.0.0-rc"}},
      {"x", {"1.2.3"}, {}},
      {">=x", {"1.2.3"}, {}},
      {"<=*", {"1.2.3"}, {}},
      {">*", {}, {"0.0.0", "1.2.3"}},
      {"<x", {}, {"0.0.0", "1.2.3", "0.0.0-0"}},
      {"!=*", {}, {"0.0.0", "1.2.3"}},
      {">1.2.3", {"1.2.4", "2.0.0"}, {"1.2.3", "1.2.2"}},
      {"> 1.2.3", {"1.2.4"}, {"1.2.3"}},
      {">1.2", {"1.3.0"}, {"1.2.0", "1.2.99"}},
      {">1", {"2.0.0"}, {"1.0.0", "1.99.0"}},
      {">=1.2", {"1.2.0", "2.0.0"}, {"1.1.99"}},
      {"=>1.2.3", {"1.2.3", "2.0.0"}, {"1.2.2"}},
      {"<1.2.3", {"1.2.2", "0.0.0"}, {"1.2.3", "1.2.3-rc"}},
      {"<1.2", {"1.1.99"}, {"1.2.0", "1.2.0-0"}},
      {"<=1.2.3", {"1.2.3", "1.2.2"}, {"1.2.4"}},
      {"<=1.2", {"1.2.99", "1.2.0"}, {"1.3.0"}},
      {"=<1", {"1.99.99"}, {"2.0.0"}},
      {"!=1.2.3", {"1.2.2", "1.2.4", "9.0.0"}, {"1.2.3"}},
      {"!=1.2", {"1.1.0", "1.3.0"}, {"1.2.0", "1.2.9"}},
      {"!=1.2.3-rc", {"1.2.3", "1.2.3-ra", "1.2.3-rc.0"}, {"1.2.3-rc"}},
      {"~1.2.3", {"1.2.3", "1.2.9"}, {"1.2.2", "1.3.0", "1.3.0-0"}},
      {"~>1.2.3", {"1.2.9"}, {"1.3.0"}},
      {"~ 1.2.3", {"1.2.9"}, {"1.3.0"}},
      {"~1.2", {"1.2.0", "1.2.9"}, {"1.3.0", "1.1.9"}},
      {"~1", {"1.0.0", "1.9.9"}, {"2.0.0", "0.9.9"}},
      {"~0.2.3", {"0.2.3", "0.2.9"}, {"0.3.0"}},
      {"~1.2.3-beta.2",
       {"1.2.3-beta.2", "1.2.3-beta.4", "1.2.3", "1.2.5"},
       {"1.2.3-beta.1", "1.2.4-beta.2", "1.3.0"}},
      {"~*", {"1.2.3"}, {}},
      {"^1.2.3", {"1.2.3", "1.9.9"}, {"1.2.2", "2.0.0", "2.0.0-0"}},
      {"^0.2.3", {"0.2.3", "0.2.9"}, {"0.3.0", "0.2.2"}},
      {"^0.0.3", {"0.0.3"}, {"0.0.4", "0.0.2"}},
      {"^1.2.x", {"1.2.0", "1.9.9"}, {"2.0.0", "1.1.9"}},
      {"^0.0.x", {"0.0.0", "0.0.9"}, {"0.1.0"}},
      {"^0.0", {"0.0.0", "0.0.9"}, {"0.1.0"}},
      {"^0", {"0.0.0", "0.9.9"}, {"1.0.0"}},
      {"^0.x", {"0.9.9"}, {"1.0.0"}},
      {"^1.x", {"1.0.0", "1.9.9"}, {"2.0.0"}},
      {"^*", {"7.7.7"}, {}},
      {"^1.2.3-beta.2", {"1.2.3-beta.4", "1.2.3", "1.9.0"}, {"1.2.4-beta.2", "1.2.3-beta.1"}},
      {"^0.0.3-beta", {"0.0.3-beta", "0.0.3-pr.2", "0.0.3"}, {"0.0.4"}},
      {"1.2.3 - 2.3.4", {"1.2.3", "2.3.4"}, {"1.2.2", "2.3.5"}},
      {"1.2 - 2.3.4", {"1.2.0", "2.3.4"}, {"1.1.9", "2.3.5"}},
      {"1.2.3 - 2.3", {"1.2.3", "2.3.9"}, {"2.4.0", "2.4.0-0"}},
      {"1.2.3 - 2", {"2.9.9"}, {"3.0.0"}},
      {"* - 2", {"0.0.0", "2.9.9"}, {"3.0.0"}},
      {"1 - *", {"1.0.0", "9.0.0"}, {"0.9.0"}},
      {">=1.2 <2", {"1.2.0", "1.9.9"}, {"2.0.0", "1.1.0"}},
      {">=1.2, <2", {"1.2.0", "1.9.9"}, {"2.0.0", "1.1.0"}},
      {">=1.2,<2,!=1.5.x", {"1.4.9", "1.6.0"}, {"1.5.0", "1.5.7", "2.0.0"}},
      {"1.2.7 || >=1.2.9 <2.0.0", {"1.2.7", "1.2.9", "1.4.6"}, {"1.2.8", "2.0.0"}},
      {"1||3", {"1.5.0", "3.0.1"}, {"2.0.0"}},
      {"<1 || ", {"5.0.0"}, {}},
      {">2 <1", {}, {"0.5.0", "1.5.0", "3.0.0"}},
      {">1.2.3-alpha.3", {"1.2.3-alpha.7", "3.4.5"}, {"3.4.5-alpha.9", "1.2.3-alpha.2"}},
      {">=2024.01.01", {"2024.1.1", "2025.03"}, {"2023.12.31"}},
      {"1.2-alpine", {"1.2-alpine", "1.2.0-alpine"}, {"1.2", "1.2-slim"}},
      {"\t^1.0.0 ", {"1.5.0"}, {"2.0.0"}},
  };
  for (const Case& row : table) check(row, SemverRange::Prereleases::of_named_versions);
}

TEST(SemverRange, HoldsPrereleasesOfOtherVersionsWhereGoDoes) {
  const Case table[] = {
      {">=1.2.3-0", {"1.2.3-rc", "1.3.0-alpha", "2.0.0"}, {"1.2.2"}},
      {">=1.2.3", {"1.2.3"}, {"1.3.0-alpha"}},
      {"^1.2.3-0", {"1.3.0-alpha"}, {"2.0.0-alpha", "2.0.0"}},
      {">=1.0.0-0, <2", {"1.5.0-rc"}, {"2.0.0-rc"}},
      {"<1.0 || >=2-0", {"2.1.0-rc"}, {"0.9.0-rc"}},
  };
  for (const Case& row : table) check(row, SemverRange::Prereleases::of_any_version);
}

TEST(SemverRange, RefusesOtherTexts) {
  for (const char* text : {"latest", ">", "1.2.3.4", "=>=1", "~^1", "^^1", "><1", "1.2.3-",
                           "1.x-rc", "a || 1", "1 | 2", "1.2 - ", "- 1.2", "1 - 2 - 3 -",
                           "99999999999999999999", "^1.2.3-01", ">= <", "1;2", "(1)"}) {
    try {
      (void)SemverRange::parse(text);
      ADD_FAILURE() << text;
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), Errc::invalid_argument) << text;
    }
  }
  EXPECT_THROW((void)SemverRange::parse(std::string(5000, ' ')), Error);
}

}  // namespace
}  // namespace lade
