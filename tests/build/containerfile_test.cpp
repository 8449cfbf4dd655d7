#include "libimage/build/containerfile.h"

#include <gmock/gmock.h>

#include "libimage/base/text.h"
#include "libimage/build/account.h"
#include "libimage/build/instructions.h"

namespace lade::build {
namespace {

using testing::HasSubstr;

Error error_of(const std::string& text) {
  try {
    parse_containerfile("Containerfile", text);
  } catch (const Error& e) {
    return e;
  }
  return {Errc::internal, cat("no error for ", text)};
}

TEST(Containerfile, StagesNamesAndGlobalArgumentsAreRead) {
  const Containerfile file = parse_containerfile(
      "f", "ARG A=1 B\nfrom --platform=linux/arm64 base:$A as Builder\nrun x\nFROM scratch\n");
  ASSERT_EQ(file.global_args.size(), 2U);
  EXPECT_EQ(file.global_args[0].value, "1");
  EXPECT_EQ(file.global_args[1].value, std::nullopt);
  ASSERT_EQ(file.stages.size(), 2U);
  EXPECT_EQ(file.stages[0].name, "builder");
  EXPECT_EQ(file.stages[0].platform, "linux/arm64");
  EXPECT_EQ(file.stages[0].base, "base:$A");
  EXPECT_EQ(file.stages[0].instructions.size(), 1U);
}

TEST(Containerfile, DescriptionsAreCommentsThatBeginWithTheName) {
  const Containerfile file = parse_containerfile(
      "f",
      "# check=error=true\n# syntax=x\n\n# V the version\nARG V\n# other\n# base holds "
      "tools\nFROM x AS base\n");
  EXPECT_EQ(file.check, "error=true");
  EXPECT_EQ(description_of(file.global_args[0].comments, "V"), "the version");
  EXPECT_EQ(description_of(file.stages[0].from.comments, "base"), "holds tools");
  EXPECT_EQ(description_of(file.stages[0].from.comments, "bas"), "");
  EXPECT_EQ(description_of(file.stages[0].from.comments, ""), "");
}

struct Mistake {
  const char* text;
  const char* message;
};

class Mistakes : public testing::TestWithParam<Mistake> {};

TEST_P(Mistakes, AreToldWithPlaceAndReason) {
  EXPECT_THAT(error_of(GetParam().text).what(), HasSubstr(GetParam().message)) << GetParam().text;
}

INSTANTIATE_TEST_SUITE_P(
    All, Mistakes,
    testing::Values(
        Mistake{"FORM x",
                "Containerfile:1: unknown instruction 'FORM', did you mean FROM?\n> 1 | FORM x"},
        Mistake{"FROM x\n\nCPOY a b",
                "Containerfile:3: unknown instruction 'CPOY', did you mean COPY?"},
        Mistake{"RUN x", "before the first FROM"}, Mistake{"ARG x", "there is no FROM"},
        Mistake{"FROM", "FROM IMAGE [AS NAME]"}, Mistake{"FROM a b c", "FROM IMAGE [AS NAME]"},
        Mistake{"FROM a AS 1x", "stage name '1x'"},
        Mistake{"FROM --plaform=x a", "did you mean --platform?"},
        Mistake{"FROM a\nRUN", "RUN needs a command"},
        Mistake{"FROM a\nRUN []", "RUN needs a command"},
        Mistake{"FROM a\nRUN --mount=type=cache,tarrget=/x y", "did you mean target?"},
        Mistake{"FROM a\nRUN --network=x y", "default, none or host"},
        Mistake{"FROM a\nRUN [1]", "only strings"},
        Mistake{"FROM a\nCOPY x", "source and a destination"},
        Mistake{"FROM a\nCOPY --from= x /", "needs a value"},
        Mistake{"FROM a\nCOPY --from=x --from=y z /", "given twice"},
        Mistake{"FROM a\nCOPY x <<E\nE\n", "destination cannot be a heredoc"},
        Mistake{"FROM a\nCOPY <<a/b /\na/b\n", "cannot be a file's name"},
        Mistake{"FROM a\nENV x", "has no value"}, Mistake{"FROM a\nENV a=1 b", "cannot find ="},
        Mistake{"FROM a\nSHELL x", "JSON list"}, Mistake{"FROM a\nHEALTHCHECK x", "NONE or CMD"},
        Mistake{"FROM a\nHEALTHCHECK --interval=1x CMD x", "duration"},
        Mistake{"FROM a\nHEALTHCHECK --interval=1us CMD x", "shorter than 1ms"},
        Mistake{"FROM a\nONBUILD ONBUILD RUN x", "ONBUILD cannot hold ONBUILD"},
        Mistake{"FROM a\nONBUILD MAINTAINER x", "cannot hold MAINTAINER"},
        Mistake{"FROM a\nONBUILD RUNN x", "RUNN"},
        Mistake{"FROM a\nUSER", "USER needs an argument"},
        Mistake{"FROM a\nWORKDIR", "WORKDIR needs a path"},
        Mistake{"FROM a\nEXPOSE", "EXPOSE needs an argument"},
        Mistake{"FROM a\nVOLUME []", "VOLUME needs a path"},
        Mistake{"FROM a\nCMD --x y", "CMD has no flag '--x'"}));

TEST(Containerfile, ContinuedLinesAreMarkedWhole) {
  EXPECT_THAT(error_of("FROM a\nENV a=1 \\\n  b\nCMD x\n").what(),
              testing::EndsWith("\n  1 | FROM a\n> 2 | ENV a=1 \\\n> 3 |   b\n  4 | CMD x"));
}

constexpr std::string_view kPasswd =
    "root:x:0:0:root:/root:/bin/sh\n# comment\nbad "
    "line\nweb:x:33:44:Web:/srv:/bin/sh\nhuge:x:4294967296:1::/:\n"
    "77:x:78:79::/seven:/bin/sh\n";
constexpr std::string_view kGroup = "root:x:0:\nstaff:x:50:web,other\nweb:x:44:\nextra:x:60:web\n";

TEST(Accounts, HaveTheirGroupsAndHome) {
  const Account web = account_of(kPasswd, kGroup, "web");
  EXPECT_EQ(web.uid, 33U);
  EXPECT_EQ(web.gid, 44U);
  EXPECT_EQ(web.additional_gids, (std::vector<std::uint32_t>{44, 50, 60}));
  EXPECT_EQ(web.home, "/srv");
  EXPECT_EQ(account_of(kPasswd, kGroup, "33").gid, 44U);
  EXPECT_EQ(account_of(kPasswd, kGroup, "1234").gid, 0U);
  EXPECT_EQ(account_of("", "", "").uid, 0U);
  EXPECT_EQ(account_of(kPasswd, kGroup, "web:staff").additional_gids,
            (std::vector<std::uint32_t>{50}));
  EXPECT_EQ(account_of(kPasswd, kGroup, "5:6").gid, 6U);
  for (const char* text :
       {"nobody", "web:nobody", "2147483648", "huge", "a:b:c", "web:99999999999"})
    EXPECT_THROW(account_of(kPasswd, kGroup, text), Error) << text;
}

TEST(Accounts, AreNumbersWhereTheyAreDigitsWhateverThePasswdFileNames) {
  EXPECT_EQ(account_of("1000:x:0:0:::\n", "", "1000").uid, 1000U);
  const Account seven = account_of(kPasswd, kGroup, "77");
  EXPECT_EQ(seven.uid, 77U);
  EXPECT_EQ(seven.gid, 0U);
  EXPECT_EQ(seven.home, "/");
  EXPECT_EQ(account_of(kPasswd, kGroup, "78").home, "/seven");
  EXPECT_EQ(owner_of("1000:x:0:0:::\n", "", "1000"), (Owner{1000, 1000}));
}

TEST(Owners, TakeTheirOwnNumberOrTheirPrimaryGroup) {
  EXPECT_EQ(owner_of(kPasswd, kGroup, "7"), (Owner{7, 7}));
  EXPECT_EQ(owner_of(kPasswd, kGroup, "web"), (Owner{33, 44}));
  EXPECT_EQ(owner_of(kPasswd, kGroup, "web:staff"), (Owner{33, 50}));
  EXPECT_EQ(owner_of("", "", "root:root"), (Owner{0, 0}));
  for (const char* text : {"nobody", "1:nobody", ":1", "1:2:3", "-1"})
    EXPECT_THROW(owner_of(kPasswd, kGroup, text), Error) << text;
}

TEST(Instructions, AreSortedAndUnique) {
  const auto& types = instruction_types();
  for (std::size_t i = 1; i < types.size(); ++i) EXPECT_LT(types[i - 1].keyword, types[i].keyword);
}

}  // namespace
}  // namespace lade::build
