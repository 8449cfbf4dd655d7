#include "libimage/build/ignore_pattern.h"

#include <gmock/gmock.h>

#include "libimage/base/error.h"

namespace lade::build {
namespace {

struct GlobCase {
  const char* pattern;
  const char* path;
  bool matches;
};

class Globs : public testing::TestWithParam<GlobCase> {};

TEST_P(Globs, Match) {
  EXPECT_EQ(PathGlob(GetParam().pattern).matches(GetParam().path), GetParam().matches)
      << GetParam().pattern << " on " << GetParam().path;
}

INSTANTIATE_TEST_SUITE_P(
    All, Globs,
    testing::Values(
        GlobCase{"a", "a", true}, GlobCase{"a", "ab", false}, GlobCase{"*", "ab", true},
        GlobCase{"*", "a/b", false}, GlobCase{"*.c", "x.c", true}, GlobCase{"*.c", "d/x.c", false},
        GlobCase{"a/*", "a/b", true}, GlobCase{"a/*", "a/b/c", false}, GlobCase{"?", "/", false},
        GlobCase{"a?c", "abc", true}, GlobCase{"a?c", "a/c", false}, GlobCase{"**", "a/b/c", true},
        GlobCase{"**/x", "x", true}, GlobCase{"**/x", "a/b/x", true}, GlobCase{"**/x", "ax", false},
        GlobCase{"**/x", "a/xx", false}, GlobCase{"a/**", "a/b/c", true},
        GlobCase{"a/**", "a", false}, GlobCase{"a/**/z", "a/z", true},
        GlobCase{"a/**/z", "a/b/c/z", true}, GlobCase{"a/**/z", "a/bz", false},
        GlobCase{"a**b", "axx/yb", true}, GlobCase{"**/*.go", "a/b.go", true},
        GlobCase{"**/a/**/b", "x/a/y/z/b", true}, GlobCase{"**/a/**/b", "a/b", true},
        GlobCase{"**/**/x", "a/x", true}, GlobCase{"[abc]", "b", true},
        GlobCase{"[^abc]", "b", false}, GlobCase{"[a-c]x", "bx", true},
        GlobCase{"[^a]", "/", false}, GlobCase{"[a-c]", "d", false}, GlobCase{"\\*", "*", true},
        GlobCase{"\\*", "x", false}, GlobCase{"[\\]]", "]", true},
        GlobCase{"*a*a*a*", "xaxaxa", true}, GlobCase{"", "", true}, GlobCase{"*", "", true}));

TEST(PathGlob, BadPatternsAreErrors) {
  for (const char* pattern : {"[", "[]", "[a", "[a-]", "a\\", "[-a]"})
    EXPECT_THROW(PathGlob{pattern}, Error) << pattern;
}

TEST(PathGlob, TimeIsLinearInThePath) {
  std::string pattern;
  for (int i = 0; i < 200; ++i) pattern += "*a";
  EXPECT_FALSE(PathGlob(pattern + "b").matches(std::string(50'000, 'a')));
}

TEST(IgnoreList, LaterLinesWinAndParentsCoverTheirChildren) {
  const IgnoreList list = IgnoreList::parse(
      "# comment\n  docs  \n!docs/keep.md\n/abs\n*.log\n!important.log\n\nout/\n #file\n");
  EXPECT_TRUE(list.ignores("docs"));
  EXPECT_TRUE(list.ignores("docs/a/b"));
  EXPECT_FALSE(list.ignores("docs/keep.md"));
  EXPECT_TRUE(list.ignores("abs"));
  EXPECT_TRUE(list.ignores("x.log"));
  EXPECT_FALSE(list.ignores("d/x.log"));
  EXPECT_FALSE(list.ignores("important.log"));
  EXPECT_TRUE(list.ignores("out/x"));
  EXPECT_TRUE(list.ignores("#file"));
  EXPECT_FALSE(list.ignores("comment"));
  EXPECT_TRUE(list.may_include_again());
}

TEST(IgnoreList, AnExceptionCanBeExcludedAgain) {
  const IgnoreList list = IgnoreList::parse("*\n!a\na/secret\n");
  EXPECT_FALSE(list.ignores("a"));
  EXPECT_FALSE(list.ignores("a/x"));
  EXPECT_TRUE(list.ignores("a/secret"));
  EXPECT_TRUE(list.ignores("b"));
}

TEST(IgnoreList, TheByteOrderMarkAndCarriageReturnsAreNoContent) {
  const IgnoreList list = IgnoreList::parse(
      "\xEF\xBB\xBF"
      "a\r\nb\r\n");
  EXPECT_TRUE(list.ignores("a"));
  EXPECT_TRUE(list.ignores("b"));
}

TEST(IgnoreList, ALoneExclamationMarkAndBadPatternsNameTheirLine) {
  for (const char* text : {"a\n!\n", "a\n[\n"}) {
    try {
      IgnoreList::parse(text);
      FAIL() << text;
    } catch (const Error& e) {
      EXPECT_THAT(e.what(), testing::StartsWith("line 2: "));
    }
  }
}

TEST(IgnoreList, TooManyStarsAreRefusedByLine) {
  std::string text;
  for (int i = 0; i < 100; ++i) text += std::string(41, '*') + "\n";
  try {
    IgnoreList::parse(text);
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), Errc::limit_exceeded);
    EXPECT_THAT(e.what(), testing::StartsWith("line 98: "));
  }
}

}  // namespace
}  // namespace lade::build
