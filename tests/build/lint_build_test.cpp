// Checks beside a build, and instead of one.
#include "libimage/build/lint_build.h"

#include "tests/build/fixture.h"

namespace lade::build {
namespace {

using testing::HasSubstr;
using testing::Not;

using LintedBuild = BuildTest;

BuildServices services_of(LocalStore& store, sandbox::StepRunner& runner, BaseResolver resolve,
                          ProgressObserver& observer) {
  return {.store = store, .runner = runner, .resolve = std::move(resolve), .observer = observer};
}

TEST_F(LintedBuild, FindingsAreWarningsOfStagesThatAreBuilt) {
  build(
      "FROM scratch AS unused\nLABEL b=$nothing\nFROM scratch as Out\nLABEL b=$nobody\nLABEL "
      "a=b\n");
  EXPECT_THAT(observer_.warnings(), HasSubstr("Containerfile:3: StageNameCasing: "));
  EXPECT_THAT(observer_.warnings(), HasSubstr("> 3 | FROM scratch as Out"));
  EXPECT_THAT(observer_.warnings(), Not(HasSubstr("'$nothing'")));
}

TEST_F(LintedBuild, VariablesOfABaseImageAreKnown) {
  build("FROM scratch\nENV VERSION=1\n");
  build("FROM test\nLABEL v=$VERSION w=$VERSIOM\n");
  EXPECT_THAT(observer_.warnings(), HasSubstr("'$VERSIOM' (did you mean $VERSION?)"));
  EXPECT_THAT(observer_.warnings(), Not(HasSubstr("'$VERSION'")));
}

TEST_F(LintedBuild, WhereFindingsAreErrorsNothingIsBuilt) {
  build("FROM scratch\n");
  const Error error =
      error_of("# check=error=true\nFROM test\nWORKDIR x\nCMD run\nCOPY absent /\n");
  EXPECT_STREQ(error.what(),
               "lint violation found for rules: JSONArgsRecommended, WorkdirRelativePath");
  build("# check=error=true\nFROM scratch\nLABEL a=b\n");
  EXPECT_THAT(error_of("# check=error\nFROM scratch\n").what(), HasSubstr("check directive"));
}

TEST_F(LintedBuild, StagesOfOneNameMayBeMany) {
  const BuildResult result =
      build("FROM scratch AS a\nLABEL n=1\nFROM scratch AS a\nLABEL n=2\nFROM a\n");
  EXPECT_EQ(result.config.config->labels.at("n"), "2");
  EXPECT_THAT(observer_.warnings(), HasSubstr("DuplicateStageName"));
}

TEST_F(LintedBuild, ACheckSeesEveryStageAndBuildsNothing) {
  build("FROM scratch\nENV V=1\n");
  const auto resolve = [&](const std::string& name, const oci::Platform&) -> ResolvedBase {
    const auto found = store_.images().resolve(Tag{full_image_name(name)});
    if (!found) throw Error(Errc::not_found, "no such image");
    return {.reader = std::shared_ptr<Reader>(&store_.images(), [](Reader*) {}), .root = *found};
  };
  const BuildServices services = services_of(store_, *runner_, resolve, observer_);
  const auto check = [&](const std::string& text, const std::string& target = "") {
    return check_build({.context = context_path(), .containerfile_text = text, .target = target},
                       services);
  };
  const std::string text =
      "FROM test AS a\nLABEL a=$V$W\nFROM absent AS b\nLABEL c=$V\nFROM scratch AS c\nLABEL a=$V\n";
  const CheckResult all = check(text);
  ASSERT_EQ(all.warnings.size(), 2U);
  EXPECT_EQ(all.warnings[0].detail, "Usage of undefined variable '$W' (did you mean $V?)");
  EXPECT_EQ(all.warnings[1].lines.first, 6U);
  EXPECT_FALSE(all.error);
  EXPECT_THAT(observer_.warnings(),
              HasSubstr("checks that need image 'absent' are left out: no such image"));
  EXPECT_EQ(check(text, "a").warnings.size(), 1U);
  EXPECT_THAT(check("FROM x\nRNU y\n").error->what(), HasSubstr("did you mean RUN?"));
  EXPECT_THAT(check("# check=error=true\nFROM scratch\nCMD x\n").error->what(),
              HasSubstr("JSONArgsRecommended"));
}

}  // namespace
}  // namespace lade::build
