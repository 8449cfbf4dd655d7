#include "libimage/build/word.h"

#include <gmock/gmock.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"

namespace lade::build {
namespace {

using testing::HasSubstr;

Expander expander() {
  return Expander([](std::string_view name) -> std::optional<std::string> {
    if (name == "a") return "value";
    if (name == "empty") return "";
    if (name == "path") return "/usr/local/bin/tool.tar.gz";
    if (name == "two") return "x y";
    if (name == "stars") return "a*b*c";
    return std::nullopt;
  });
}

struct Case {
  const char* text;
  const char* want;
};

class Expansion : public testing::TestWithParam<Case> {};

TEST_P(Expansion, GivesTheWord) {
  EXPECT_EQ(expander().word(GetParam().text), GetParam().want) << GetParam().text;
}

INSTANTIATE_TEST_SUITE_P(
    All, Expansion,
    testing::Values(
        Case{"plain", "plain"}, Case{"$a", "value"}, Case{"${a}", "value"},
        Case{"x$a-y", "xvalue-y"}, Case{"$unset.", "."}, Case{"${unset}", ""}, Case{"$", "$"},
        Case{"$ a", "$ a"}, Case{"a$", "a$"}, Case{"$1$23x", "x"}, Case{"$$a", "a"},
        Case{"$?$#$@$*$!$-", ""}, Case{"${unset:-def}", "def"}, Case{"${empty:-def}", "def"},
        Case{"${empty-def}", ""}, Case{"${unset-def}", "def"}, Case{"${a:-def}", "value"},
        Case{"${a:+alt}", "alt"}, Case{"${a+alt}", "alt"}, Case{"${empty:+alt}", ""},
        Case{"${empty+alt}", "alt"}, Case{"${unset:+alt}", ""}, Case{"${a:?bad}", "value"},
        Case{"${empty?bad}", ""}, Case{"${unset:-${a}}", "value"},
        Case{"${unset:-${also:-$a}}", "value"}, Case{"${unset:-'}'}", "}"},
        Case{"${unset:-\\}}", "}"}, Case{"${unset:-\"q $a\"}", "q value"},
        Case{"${path#*/}", "usr/local/bin/tool.tar.gz"}, Case{"${path##*/}", "tool.tar.gz"},
        Case{"${path%.*}", "/usr/local/bin/tool.tar"}, Case{"${path%%.*}", "/usr/local/bin/tool"},
        Case{"${path#nothing}", "/usr/local/bin/tool.tar.gz"}, Case{"${a%?}", "valu"},
        Case{"${a#??}", "lue"}, Case{"${stars#a\\*}", "b*c"}, Case{"${stars%%\\**}", "a"},
        Case{"${a#*}", "value"}, Case{"${a##*}", ""},
        Case{"${path/bin/sbin}", "/usr/local/sbin/tool.tar.gz"},
        Case{"${path//\\//-}", "-usr-local-bin-tool.tar.gz"}, Case{"${path/local*/x}", "/usr/x"},
        Case{"${a//[/x}", "value"}, Case{"${stars//\\*/+}", "a+b+c"}, Case{"${a//a/}", "vlue"},
        Case{"${a/l/$two}", "vax yue"}, Case{"${stars/?b/-}", "a-*c"}, Case{"'$a'", "$a"},
        Case{"\"$a\"", "value"}, Case{"\"\\$a \\\" \\\\ \\x\"", "$a \" \\ \\x"},
        Case{"'\\'x", "\\x"}, Case{"\\$a", "$a"}, Case{"a\\ b", "a b"}, Case{"end\\", "end"},
        Case{"a'b'\"c\"d", "abcd"}, Case{"\"it's\"", "it's"}, Case{"\xC3\xA9$a", "\xC3\xA9value"}));

class BadExpansion : public testing::TestWithParam<Case> {};

TEST_P(BadExpansion, IsAnErrorThatSaysWhy) {
  try {
    (void)expander().word(GetParam().text);
    ADD_FAILURE() << "no error for " << GetParam().text;
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), Errc::invalid_content);
    EXPECT_THAT(e.what(), HasSubstr(GetParam().want));
  }
}

INSTANTIATE_TEST_SUITE_P(
    All, BadExpansion,
    testing::Values(Case{"${", "missing '}'"}, Case{"${a", "missing '}'"},
                    Case{"${a:-x", "missing '}'"}, Case{"${}", "bad substitution"},
                    Case{"${{x}", "bad substitution"}, Case{"${:x}", "bad substitution"},
                    Case{"${a:=x}", "unsupported modifier"},
                    Case{"${a:1:2}", "unsupported modifier"},
                    Case{"${a^^}", "unsupported modifier"}, Case{"${a:#x}", "unsupported modifier"},
                    Case{"${a/x}", "missing '/'"}, Case{"'x", "single-quote"},
                    Case{"\"x", "double-quote"}, Case{"${unset:?be set}", "unset: be set"},
                    Case{"${unset?}", "not allowed to be unset"},
                    Case{"${empty:?}", "not allowed to be empty"}));

TEST(Expander, WordsAreSplitAtBlanksOutsideQuotesAlsoWhereAVariableBroughtThem) {
  EXPECT_EQ(expander().words("a 'b c'  $two \"$two\" d\\ e"),
            (std::vector<std::string>{"a", "b c", "x", "y", "x y", "d e"}));
}

TEST(Expander, TheEscapeCharacterIsTheFiles) {
  const Expander backtick([](std::string_view) { return std::optional<std::string>("v"); }, '`');
  EXPECT_EQ(backtick.word("c:\\x `$a $a"), "c:\\x $a v");
}

TEST(Expander, HeredocsExpandButKeepQuotes) {
  EXPECT_EQ(expander().heredoc("'$a' \"${a}\" \\$a \\\\ \\n\\\nx\n"),
            "'value' \"value\" $a \\ \\nx\n");
}

TEST(Expander, AnExpansionThatGrowsWithoutEndIsStopped) {
  const Expander big([](std::string_view) { return std::optional(std::string(600'000, 'x')); });
  try {
    (void)big.word("$a$a");
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), Errc::limit_exceeded);
  }
}

TEST(Expander, NestingIsBounded) {
  std::string text;
  for (int i = 0; i < 100'000; ++i) text += "${a:+";
  EXPECT_THROW((void)expander().word(text), Error);
}

TEST(Patterns, MatchInTimeThatIsBoundedForAnyPattern) {
  std::string pattern;
  for (int i = 0; i < 40; ++i) pattern += "*a";
  EXPECT_EQ(without_prefix(std::string(20'000, 'a') + "b", pattern + "c", true).size(), 20'001U);
}

}  // namespace
}  // namespace lade::build
