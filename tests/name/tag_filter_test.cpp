#include "libimage/name/tag_filter.h"

#include <gtest/gtest.h>

#include "libimage/base/error.h"

namespace lade {
namespace {

using Match = Pattern::Match;

TEST(Pattern, MatchesTheWholeTextOrAnyPart) {
  struct Row {
    const char* expression;
    const char* text;
    bool whole, anywhere;
  };
  const Row table[] = {
      {"1\\..*", "1.2", true, true},
      {"1\\..*", "21.2", false, true},
      {"v?[0-9.]+", "v1.2", true, true},
      {"v?[0-9.]+", "v1.2-rc", false, true},
      {"", "", true, true},
      {"", "x", false, true},
      {"a|bc", "bc", true, true},
      {"a|bc", "abc", false, true},
      {"(?i)latest", "LATEST", true, true},
      {"^\\d+$", "12", true, true},
      {"^\\d+$", "12a", false, false},
      {"\\pL+", "caf\xC3\xA9", true, true},
      {"[[:alpha:]]+", "abc", true, true},
      {"(?P<major>\\d+)", "7", true, true},
  };
  for (const Row& row : table) {
    EXPECT_EQ(Pattern(row.expression, Match::whole).matches(row.text), row.whole)
        << row.expression << " on " << row.text;
    EXPECT_EQ(Pattern(row.expression, Match::anywhere).matches(row.text), row.anywhere)
        << row.expression << " on " << row.text;
  }
}

TEST(Pattern, RefusesWhatIsNoExpressionAndWhatCostsTooMuch) {
  for (const std::string& text :
       {std::string("("), std::string("[a"), std::string("a**"), std::string("\\"),
        std::string("(?=a)"), std::string("\\1"), std::string("a{1001}"),
        std::string("((((a{100}){100}){100}){100})"), std::string(5000, 'a')}) {
    try {
      (void)Pattern(text, Match::whole);
      ADD_FAILURE() << text;
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), Errc::invalid_argument);
      EXPECT_NE(std::string(e.what()).find("regular expression"), std::string::npos);
    }
  }
}

TEST(Pattern, TakesLinearTimeForAnyExpression) {
  const Pattern slow("(a+)+b", Match::whole);
  EXPECT_FALSE(slow.matches(std::string(100'000, 'a')));
}

TEST(DigestTags, AreThoseOfReferrersAndCosign) {
  const std::string hex(64, 'a');
  EXPECT_TRUE(is_digest_tag("sha256-" + hex));
  EXPECT_TRUE(is_digest_tag("sha256-" + hex + ".sig"));
  EXPECT_TRUE(is_digest_tag("sha256-" + hex + ".att"));
  EXPECT_TRUE(is_digest_tag("sha512-" + hex));
  EXPECT_TRUE(is_digest_tag("sha256-" + hex + ".sbom"));
  EXPECT_FALSE(is_digest_tag("sha256-" + hex + "x"));
  EXPECT_FALSE(is_digest_tag("sha256-" + hex.substr(1)));
  EXPECT_FALSE(is_digest_tag("sha256-" + std::string(64, 'g')));
  EXPECT_FALSE(is_digest_tag("sha256-"));
  EXPECT_FALSE(is_digest_tag("latest"));
  EXPECT_FALSE(is_digest_tag(""));
}

std::vector<std::string> kept(const TagFilter& filter) {
  std::vector<std::string> out;
  for (const char* tag :
       {"latest", "1.0.0", "v1.5.2", "2.0.0-rc.1", "2.0.0", "1.5.2-alpine",
        "sha256-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.sig"}) {
    if (filter.keeps(tag)) out.emplace_back(tag);
  }
  return out;
}
using Tags = std::vector<std::string>;

TEST(TagFilter, KeepsEverythingByDefault) { EXPECT_EQ(kept({}).size(), 7U); }

TEST(TagFilter, JoinsItsConditions) {
  EXPECT_EQ(kept({.omit_digest_tags = true}).size(), 6U);
  EXPECT_EQ(kept({.include = {Pattern("1\\..*", Match::whole)}}), (Tags{"1.0.0", "1.5.2-alpine"}));
  EXPECT_EQ(kept({.include = {Pattern("latest", Match::whole), Pattern("2.*", Match::whole)}}),
            (Tags{"latest", "2.0.0-rc.1", "2.0.0"}));
  EXPECT_EQ(kept({.exclude = {Pattern(".*-.*", Match::whole)}}),
            (Tags{"latest", "1.0.0", "v1.5.2", "2.0.0"}));
  EXPECT_EQ(kept({.ranges = {SemverRange::parse("^1")}}), (Tags{"1.0.0", "v1.5.2"}));
  EXPECT_EQ(kept({.ranges = {SemverRange::parse("^1.1"), SemverRange::parse("2")}}),
            (Tags{"v1.5.2", "2.0.0"}));
  EXPECT_EQ(kept({.exclude = {Pattern("v.*", Match::whole)}, .ranges = {SemverRange::parse("*")}}),
            (Tags{"1.0.0", "2.0.0"}));
}

TEST(SortTags, OrdersByNameOrByVersion) {
  Tags tags = {"v1.10.0", "latest", "1.9.0", "1.10.0", "edge", "1.10.0-rc.2", "1.10.0-rc.10"};
  sort_tags(tags, TagOrder::name);
  EXPECT_EQ(tags,
            (Tags{"1.10.0", "1.10.0-rc.10", "1.10.0-rc.2", "1.9.0", "edge", "latest", "v1.10.0"}));
  sort_tags(tags, TagOrder::semver);
  EXPECT_EQ(tags,
            (Tags{"edge", "latest", "1.9.0", "1.10.0-rc.2", "1.10.0-rc.10", "1.10.0", "v1.10.0"}));
}

}  // namespace
}  // namespace lade
