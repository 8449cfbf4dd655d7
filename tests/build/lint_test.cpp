// The build checks: one file that breaks each rule, one that is close and does not.
#include "libimage/build/lint.h"

#include <gmock/gmock.h>

#include "libimage/base/text.h"
#include "libimage/build/globals.h"
#include "libimage/build/outline.h"
#include "libimage/name/platform.h"

namespace lade::build {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

/// "LINE Rule: message" of every finding; stages start from scratch or from `base`.
std::vector<std::string> findings(const std::string& text, const LintBase& base = {},
                                  const std::map<std::string, std::string>& build_args = {},
                                  const std::string& ignore_text = "") {
  const Containerfile file = parse_containerfile("Containerfile", text);
  const oci::Platform platform = parse_platform("linux/amd64");
  const Environment globals = global_variables(file, build_args, "", platform);
  const IgnoreList ignore = IgnoreList::parse(ignore_text);
  const Linter linter({.file = file,
                       .build_args = build_args,
                       .globals = globals,
                       .platform = platform,
                       .ignore = [&] { return &ignore; }},
                      lint_settings(file, build_args));
  std::vector<LintWarning> found = linter.check_file();
  std::map<std::string, LintBase> ends;
  for (std::size_t i = 0; i < file.stages.size(); ++i) {
    const auto before = ends.find(file.stages[i].base);
    LintBase end;
    for (LintWarning& warning :
         linter.check_stage(i, before == ends.end() ? base : before->second, &end))
      found.push_back(std::move(warning));
    ends[file.stages[i].name] = end;
  }
  sort_warnings(found);
  std::vector<std::string> out;
  for (const LintWarning& warning : found)
    out.push_back(cat(warning.lines.first, " ", warning.rule->name, ": ", warning.detail));
  return out;
}

struct Example {
  const char* text;
  std::vector<std::string> found = {};
};

class Checks : public testing::TestWithParam<Example> {};

TEST_P(Checks, FindWhatBreaksARule) {
  EXPECT_EQ(findings(GetParam().text), GetParam().found) << GetParam().text;
}

INSTANTIATE_TEST_SUITE_P(
    Names, Checks,
    testing::Values(
        Example{"FROM scratch AS BadName",
                {"1 StageNameCasing: Stage name 'BadName' should be lowercase"}},
        Example{"FROM --platform=$BUILDPLATFORM scratch AS good-name"},
        Example{"FROM scratch as a",
                {"1 FromAsCasing: 'as' and 'FROM' keywords' casing do not match"}},
        Example{"from scratch AS a",
                {"1 FromAsCasing: 'AS' and 'from' keywords' casing do not match"}},
        Example{"from scratch as a"},
        Example{"FROM scratch AS b\nFROM scratch AS b",
                {"2 DuplicateStageName: Duplicate stage name \"b\", stage names should be unique"}},
        Example{"FROM scratch AS b\nFROM scratch AS c"},
        Example{"FROM x AS scratch\nFROM scratch AS context",
                {"1 ReservedStageName: Stage name should not use the same name as reserved stage "
                 "\"scratch\"",
                 "2 ReservedStageName: Stage name should not use the same name as reserved stage "
                 "\"context\""}},
        Example{"FROM scratch AS a-context"},
        Example{"# check=experimental=InvalidDefinitionDescription\n\n# bar is it\nARG foo=bar\n# "
                "Base is it\nFROM scratch AS base\n# bad\nARG a=1 b=2\n",
                {"4 InvalidDefinitionDescription: Comment for ARG should follow the format: `# foo "
                 "<description>`",
                 "6 InvalidDefinitionDescription: Comment for FROM should follow the format: `# "
                 "base <description>`",
                 "8 InvalidDefinitionDescription: Comment for ARG should follow the format: `# "
                 "<arg_key> <description>`"}},
        Example{"# check=experimental=all\n# foo is it\nARG foo=bar\n# base is it\nFROM scratch AS "
                "base\n# b is it\nARG a=1 b=2\n# bad\n#\nARG c\n# bad\n\nARG d\n# bad\nUSER x"},
        Example{"# bad\nARG foo=bar\n# bad\nFROM scratch AS base"}));

INSTANTIATE_TEST_SUITE_P(
    Spelling, Checks,
    testing::Values(
        Example{"FROM scratch\nUSER \\\n\nx\nUSER \\\n# comment\ny",
                {"4 NoEmptyContinuation: Empty continuation line"}},
        Example{"ARG \\\n\nA=1\nFROM scratch", {"3 NoEmptyContinuation: Empty continuation line"}},
        Example{"FROM scratch\nUSER \\\nx\n\nUSER y"},
        Example{"From scratch\nUSER x",
                {"1 ConsistentInstructionCasing: Command 'From' should match the case of the "
                 "command majority (uppercase)"}},
        Example{"from scratch\nuser x\nUSER y",
                {"3 ConsistentInstructionCasing: Command 'USER' should match the case of the "
                 "command majority (lowercase)"}},
        Example{"FROM scratch\nuser x",
                {"2 ConsistentInstructionCasing: Command 'user' should match the case of the "
                 "command majority (uppercase)"}},
        Example{"ARG A\nfrom scratch\nuser x"},
        Example{"FROM scratch\nMAINTAINER me",
                {"2 MaintainerDeprecated: Maintainer instruction is deprecated in favor of using "
                 "label"}},
        Example{"FROM scratch\nLABEL maintainer=me"},
        Example{"FROM scratch\nENV a b\nLABEL c d=e",
                {"2 LegacyKeyValueFormat: \"ENV key=value\" should be used instead of legacy \"ENV "
                 "key value\" format",
                 "3 LegacyKeyValueFormat: \"LABEL key=value\" should be used instead of legacy "
                 "\"LABEL key value\" format"}},
        Example{"FROM scratch\nENV a=b\nLABEL \"c d\"=e"},
        Example{"FROM scratch\nEXPOSE 80/TcP 81/udp",
                {"2 ExposeProtoCasing: Defined protocol '80/TcP' in EXPOSE instruction should be "
                 "lowercase"}},
        Example{"FROM scratch\nENV P=80/udp\nEXPOSE $P 81 82/tcp"},
        Example{"FROM scratch\nEXPOSE 127.0.0.1:80:80 5000:5000",
                {"2 ExposeInvalidFormat: EXPOSE instruction should not define an IP address or "
                 "host-port mapping, found '127.0.0.1:80:80'",
                 "2 ExposeInvalidFormat: EXPOSE instruction should not define an IP address or "
                 "host-port mapping, found '5000:5000'"}},
        Example{"FROM scratch\nEXPOSE 8000-8010"}));

INSTANTIATE_TEST_SUITE_P(
    Meaning, Checks,
    testing::Values(
        Example{"FROM scratch\nCMD run it\nENTRYPOINT serve",
                {"2 JSONArgsRecommended: JSON arguments recommended for CMD to prevent unintended "
                 "behavior related to OS signals",
                 "3 JSONArgsRecommended: JSON arguments recommended for ENTRYPOINT to prevent "
                 "unintended behavior related to OS signals"}},
        Example{"FROM scratch\nCMD [\"run\"]\nFROM scratch AS a\nSHELL [\"/bin/x\"]\nFROM a\nCMD "
                "run it"},
        Example{"FROM scratch\nWORKDIR app/\nWORKDIR sub",
                {"2 WorkdirRelativePath: Relative workdir \"app/\" can have unexpected results if "
                 "the base image changes"}},
        Example{"FROM scratch AS a\nENV D=/app\nWORKDIR $D\nFROM a\nWORKDIR sub"},
        Example{
            "FROM scratch\nCMD [\"a\"]\nENTRYPOINT [\"a\"]\nCMD [\"b\"]\nHEALTHCHECK CMD a\nENV "
            "x=1\nHEALTHCHECK CMD b",
            {"2 MultipleInstructionsDisallowed: Multiple CMD instructions should not be used in "
             "the same stage because only the last one will be used",
             "5 MultipleInstructionsDisallowed: Multiple HEALTHCHECK instructions should not be "
             "used in the same stage because only the last one will be used"}},
        Example{"FROM scratch AS a\nCMD [\"a\"]\nFROM a\nCMD [\"b\"]"},
        Example{"FROM scratch\nARG AUTH\nENV API_KEY=1 apikey=2 x=3\nARG DB_password_FOR_ME=1",
                {"2 SecretsUsedInArgOrEnv: Do not use ARG or ENV instructions for sensitive data "
                 "(ARG \"AUTH\")",
                 "3 SecretsUsedInArgOrEnv: Do not use ARG or ENV instructions for sensitive data "
                 "(ENV \"API_KEY\")",
                 "3 SecretsUsedInArgOrEnv: Do not use ARG or ENV instructions for sensitive data "
                 "(ENV \"apikey\")",
                 "4 SecretsUsedInArgOrEnv: Do not use ARG or ENV instructions for sensitive data "
                 "(ARG \"DB_password_FOR_ME\")"}},
        Example{
            "FROM scratch\nARG PUBLIC_KEY KEYBOARD TOKEN_FILE\nENV SECRET_VERSION=1 AUTHOR=me"}));

INSTANTIATE_TEST_SUITE_P(
    Variables, Checks,
    testing::Values(
        Example{
            "FROM --platform=$BULIDPLATFORM scratch${y} AS a",
            {"1 UndefinedArgInFrom: FROM argument 'BULIDPLATFORM' is not declared (did you mean "
             "BUILDPLATFORM?)",
             "1 UndefinedArgInFrom: FROM argument 'y' is not declared"}},
        Example{"ARG DEBUG\nFROM --platform=$BUILDPLATFORM scra${DEBUG:-tch}${DEBUG}"},
        Example{"FROM --platform=${TARGETPLATFORM} scratch",
                {"1 RedundantTargetPlatform: Setting platform to predefined ${TARGETPLATFORM} in "
                 "FROM is redundant as this is the default behavior"}},
        Example{"FROM --platform=$TARGETOS/$TARGETARCH scratch"},
        Example{"ARG VERSION\nARG IMAGE\nFROM busybox:$VERSION\nFROM $IMAGE",
                {"3 InvalidDefaultArgInFrom: Default value for ARG busybox:$VERSION results in "
                 "empty or invalid base image name",
                 "4 InvalidDefaultArgInFrom: Default value for ARG $IMAGE results in empty or "
                 "invalid base image name"}},
        Example{"ARG VERSION=1\nARG SUFFIX\nARG DIR=oci:/tmp/dir\nFROM busybox:$VERSION$SUFFIX\n"
                "FROM $DIR"},
        Example{"FROM --platform=linux/amd64 scratch",
                {"1 FromPlatformFlagConstDisallowed: FROM --platform flag should not use constant "
                 "value \"linux/amd64\""}},
        Example{"FROM --platform=linux/amd64 scratch AS my_amd64_stage\n"
                "FROM --platform=linux/arm64 scratch AS linux"},
        Example{"FROM scratch\nCOPY $foo .\nARG foo=bar\nENV PATH=$PAHT:/bin\nUSER $b$a\n"
                "RUN --mount=type=cache,target=$dir x $y",
                {"2 UndefinedVar: Usage of undefined variable '$foo'",
                 "4 UndefinedVar: Usage of undefined variable '$PAHT' (did you mean $PATH?)",
                 "5 UndefinedVar: Usage of undefined variable '$a'",
                 "5 UndefinedVar: Usage of undefined variable '$b'",
                 "6 UndefinedVar: Usage of undefined variable '$dir'"}},
        Example{"FROM scratch\nARG foo\nENV bar=1\nCOPY x${foo} $bar /$PATH/\nRUN echo $x\n"
                "CMD [\"$x\"]\nCOPY <<E <<'F' /\n$bar\nE\n$x\nF\n"},
        Example{"ARG g=1\nFROM scratch AS a\nARG foo=1\nENV e=2\nFROM a\nARG g\nCOPY $foo$e$g ."},
        Example{"ARG g=1\nFROM scratch\nCOPY <<E /\n$g ${h:-x}\nE\n",
                {"3 UndefinedVar: Usage of undefined variable '$g'",
                 "3 UndefinedVar: Usage of undefined variable '$h'"}}));

TEST(Lint, ABaseImageBringsVariablesAndAShell) {
  LintBase base{.environment = {"NODE_VERSION=20"}, .has_shell = true};
  EXPECT_THAT(findings("FROM node\nUSER $NODE_VERSION\nCMD run", base), IsEmpty());
}

TEST(Lint, ABaseImageForAnotherPlatformIsFound) {
  LintBase base{.pulled = parse_platform("linux/arm64")};
  EXPECT_THAT(findings("ARG V=1\nFROM node:$V", base),
              ElementsAre("2 InvalidBaseImagePlatform: Base image node:1 was pulled with platform "
                          "\"linux/arm64\", expected \"linux/amd64\" for current build"));
  EXPECT_THAT(findings("ARG P\nFROM --platform=$P node", base, {{"P", "linux/arm64"}}), IsEmpty());
  base.pulled = parse_platform("linux/amd64");
  EXPECT_THAT(findings("FROM node", base), IsEmpty());
}

TEST(Lint, ACopyOfWhatIsIgnoredIsFound) {
  const std::string text =
      "# check=experimental=CopyIgnoredFile\nFROM scratch AS a\nCOPY --chown=1 secret/x ./y /z/\n"
      "ADD . /\nCOPY --from=a secret /\nCOPY <<secret /\nsecret\n";
  EXPECT_THAT(
      findings(text, {}, {}, "secret\n"),
      ElementsAre("3 CopyIgnoredFile: Attempting to Copy file \"secret/x\" that is excluded "
                  "by .dockerignore"));
  EXPECT_THAT(
      findings(text, {}, {}, "*\n"),
      ElementsAre(HasSubstr("\"secret/x\""), HasSubstr("\"y\""), HasSubstr("Add file \".\"")));
  EXPECT_THAT(findings(text, {}, {}, "secret\n!secret/x\n"), IsEmpty());
  EXPECT_THAT(findings(text.substr(text.find('\n') + 1), {}, {}, "secret\n"), IsEmpty());
}

TEST(Lint, SettingsSkipRulesAndTheBuildArgumentReplacesThem) {
  const std::string text = "FROM scratch as Base\ncopy x y\nMAINTAINER z\n";
  EXPECT_EQ(findings(text).size(), 4U);
  EXPECT_THAT(findings(cat("# check=skip=all\n", text)), IsEmpty());
  EXPECT_THAT(
      findings(cat("#check = skip=StageNameCasing, FromAsCasing ;error=true\n", text)),
      ElementsAre(HasSubstr("ConsistentInstructionCasing"), HasSubstr("MaintainerDeprecated")));
  EXPECT_EQ(findings(cat("# check=skip=all\n", text), {},
                     {{std::string(kCheckArgument), "skip=FromAsCasing"}})
                .size(),
            3U);
  EXPECT_THAT(findings("FROM scratch\n# check=skip=MaintainerDeprecated\nMAINTAINER a\n"
                       "MAINTAINER b"),
              ElementsAre(HasSubstr("4 MaintainerDeprecated")));
}

TEST(Lint, BadSettingsAreRefused) {
  EXPECT_TRUE(parse_lint_settings("error=1").error);
  EXPECT_FALSE(parse_lint_settings("error=F;skip=all").error);
  for (const char* text : {"skip", "error=maybe", "skpi=A", "error=true;x"})
    EXPECT_THROW(parse_lint_settings(text), Error) << text;
}

TEST(Lint, ThereAreBuildKitsRulesEachWithItsPage) {
  std::set<std::string_view> names;
  for (const LintRule* rule : lint_rules()) {
    names.insert(rule->name);
    EXPECT_TRUE(rule->url.starts_with("https://docs.docker.com/go/dockerfile/rule/"));
  }
  EXPECT_EQ(names.size(), 22U);
}

TEST(Lint, AWarningShowsItsPlaceAndAnErrorItsRules) {
  const Containerfile file = parse_containerfile("Containerfile", "FROM scratch\nMAINTAINER a\n");
  const LintWarning warning{.rule = lint_rules()[7], .detail = "text", .lines = {2, 2}};
  EXPECT_EQ(lint_text(*file.source, warning),
            "Containerfile:2: MaintainerDeprecated: text\n  1 | FROM scratch\n> 2 | MAINTAINER a");
  const LintWarning other{.rule = lint_rules()[0], .detail = "text", .lines = {1, 1}};
  EXPECT_STREQ(lint_error({warning, other, warning}).what(),
               "lint violation found for rules: MaintainerDeprecated, StageNameCasing");
}

Outline outline(const std::string& text, const std::string& target = "") {
  return outline_build(
      {.containerfile_text = text, .target = target, .build_args = {{"BAR", "678"}}});
}

std::vector<std::string> args_of(const Outline& outline) {
  std::vector<std::string> out;
  for (const OutlineArg& arg : outline.args)
    out.push_back(
        cat(arg.lines.first, " ", arg.name, "=", arg.value.value_or("?"), " ", arg.description));
  return out;
}

TEST(OutlineOfATarget, ListsTheArgumentsOfTheStagesThatItNeeds) {
  const Outline found = outline(
      "ARG inherited=box\nARG inherited2=box2\nARG unused=abc${inherited2}\n# sfx is a suffix\n"
      "ARG sfx=\"usy${inherited}\"\nFROM b${sfx} AS first\n# this is not assigned to anything\n"
      "ARG FOO=123\n# BAR is a number\nARG BAR=456\nFROM alpine${unused} AS second\nARG BAZ\n"
      "FROM scratch AS third\nARG ABC\n# target defines build target\nFROM third AS target\n"
      "COPY --from=first /etc/passwd /\nFROM second\n",
      "target");
  EXPECT_EQ(found.name, "target");
  EXPECT_EQ(found.description, "defines build target");
  EXPECT_THAT(args_of(found), ElementsAre("1 inherited=box ", "5 sfx=usybox is a suffix",
                                          "8 FOO=123 ", "10 BAR=678 is a number", "14 ABC=? "));
}

TEST(OutlineOfATarget, FollowsWhatArgumentsAreMadeOf) {
  EXPECT_THAT(
      args_of(outline("ARG FOO=123\nARG ABC=abc\nARG DEF=def\nARG FOO=${FOO}${ABC}\n"
                      "ARG BAS=${FOO}456\nARG FOO=${FOO}456${BAS}\nFROM scratch\nARG FOO\n"
                      "ARG IN=1\nARG IN=${IN}2\n")),
      ElementsAre("2 ABC=abc ", "5 BAS=123abc456 ", "6 FOO=123abc456123abc456 ", "10 IN=12 "));
}

TEST(OutlineOfATarget, ListsSecretsAndAgents) {
  const Outline found = outline(
      "FROM busybox AS first\nRUN --mount=type=secret,target=/etc/passwd,required=true "
      "--mount=type=ssh true\nFROM alpine AS second\nRUN --mount=type=secret,id=unused true\n"
      "FROM scratch AS third\nARG BAR\nRUN --mount=type=secret,id=second${BAR} true\n"
      "FROM third AS target\nCOPY --from=first /foo /\nRUN --mount=type=ssh,id=ssh3,required true\n"
      "FROM second\n",
      "target");
  ASSERT_EQ(found.secrets.size(), 2U);
  EXPECT_EQ(found.secrets[0].id, "passwd");
  EXPECT_TRUE(found.secrets[0].required);
  EXPECT_EQ(found.secrets[1].id, "second678");
  ASSERT_EQ(found.agents.size(), 2U);
  EXPECT_EQ(found.agents[0].id, "default");
  EXPECT_EQ(found.agents[1].id, "ssh3");
  EXPECT_EQ(found.agents[1].lines.first, 10U);
}

TEST(ListOfTargets, HasStagesInOrderWithTheirDescriptions) {
  const TargetList list = list_targets(
      {.containerfile_text = "# build makes it\nFROM alpine AS build\nFROM --platform=$P $B\n"});
  ASSERT_EQ(list.targets.size(), 2U);
  EXPECT_EQ(list.targets[0].name, "build");
  EXPECT_EQ(list.targets[0].description, "makes it");
  EXPECT_EQ(list.targets[0].base, "alpine");
  EXPECT_FALSE(list.targets[0].is_default);
  EXPECT_TRUE(list.targets[1].is_default);
  EXPECT_EQ(list.targets[1].platform, "$P");
  EXPECT_EQ(list.targets[1].lines.first, 3U);
}

}  // namespace
}  // namespace lade::build
