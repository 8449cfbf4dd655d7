#include "libimage/build/arguments.h"

#include <gmock/gmock.h>

#include "libimage/base/error.h"

namespace lade::build {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Optional;

TEST(Flags, AreTakenFromTheFrontWithQuotesAndEscapesProcessed) {
  std::string arguments = "--from=a --chown='b c':\"d\" --link --x=\\ y src --not=this";
  EXPECT_THAT(take_flags(arguments, '\\'),
              ElementsAre(Flag{"from", "a"}, Flag{"chown", "b c:d"}, Flag{"link", std::nullopt},
                          Flag{"x", " y"}));
  EXPECT_EQ(arguments, "src --not=this");
}

TEST(Flags, EndAtTwoDashes) {
  std::string arguments = "--a -- --b";
  EXPECT_THAT(take_flags(arguments, '\\'), ElementsAre(Flag{"a", std::nullopt}));
  EXPECT_EQ(arguments, "--b");
}

TEST(JsonStrings, AreTheExecForm) {
  EXPECT_THAT(json_strings(R"( [ "a b", "\"\\\/\n\t", "\u00e9\ud83d\ude00" ] )"),
              Optional(ElementsAre("a b", "\"\\/\n\t", "\xC3\xA9\xF0\x9F\x98\x80")));
  EXPECT_THAT(json_strings("[]"), Optional(ElementsAre()));
}

TEST(JsonStrings, AreNulloptWhereTheTextIsNotJson) {
  for (const char* text : {"a", "['a']", "[\"a\"", "[\"a\",]", "[\"\\x\"]", "[\"a\"] b", "[a]",
                           "[\"a\nb\"]", "[ -f x ]", "\"a\"", ""})
    EXPECT_EQ(json_strings(text), std::nullopt) << text;
}

TEST(JsonStrings, OfOtherTypesAreAnError) {
  for (const char* text : {"[1]", "[\"a\", null]", "[[\"a\"]]", "[{\"a\": [true, 1.5e3]}]"})
    EXPECT_THROW(json_strings(text), Error) << text;
}

TEST(JsonStrings, NestingIsBounded) {
  EXPECT_EQ(json_strings(std::string(100'000, '[') + std::string(100'000, ']')), std::nullopt);
}

TEST(Pairs, AreNameAndValueWithTheirQuotes) {
  EXPECT_THAT(
      pairs_of("a=1 b='x y' \"c\"=\\ d e=", '\\', "ENV"),
      ElementsAre(Pair{"a", "1"}, Pair{"b", "'x y'"}, Pair{"\"c\"", "\\ d"}, Pair{"e", ""}));
}

TEST(Pairs, HaveAnOldFormOfOneNameAndTheRest) {
  EXPECT_THAT(pairs_of("name  the rest = all", '\\', "ENV"),
              ElementsAre(Pair{"name", "the rest = all"}));
}

TEST(Pairs, ThatAreNoneAreErrors) {
  for (const char* text : {"", "name", "a=1 b", "=x"})
    EXPECT_THROW(pairs_of(text, '\\', "ENV"), Error) << text;
}

TEST(Words, KeepQuotesOrIgnoreThem) {
  EXPECT_THAT(quoted_words("a 'b c' d\\ e", '\\'), ElementsAre("a", "'b c'", "d\\ e"));
  EXPECT_THAT(plain_words(" a  'b c' "), ElementsAre("a", "'b", "c'"));
}

}  // namespace
}  // namespace lade::build
