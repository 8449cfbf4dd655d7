// Why a step was executed: what changed since it was built last.
#include "libimage/build/explain.h"

#include "libimage/build/step_log.h"

#include "tests/build/fixture.h"

namespace lade::build {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TEST(StepChanges, NameWhatWasAddedRemovedAndChanged) {
  EXPECT_THAT(
      changes({{"a", "1"}, {"b", "2"}, {"c", "3"}}, {{"a", "1"}, {"c", "4"}, {"d", "5"}}),
      ElementsAre(
          StepChange{StepChange::Kind::changed, "c", "3", "4"},
          StepChange{.kind = StepChange::Kind::added, .input = "d", .before = "", .after = "5"},
          StepChange{.kind = StepChange::Kind::removed, .input = "b", .before = "2"}));
  EXPECT_THAT(changes({{"base image", "x"}, {"the tree below", "1"}},
                      {{"base image", "y"}, {"the tree below", "2"}}),
              ElementsAre(StepChange{StepChange::Kind::changed, "base image", "x", "y"}));
}

TEST(StepRecords, AreReadAsTheyWereWrittenAndNothingIfDamaged) {
  const std::map<StepPlace, StepRecord> records = {
      {{"a", 0}, {"key", "RUN x", {{"n", "v:\n"}, {"", ""}}}}, {{"b", 12}, {"k", "", {}}}};
  const std::string text = write_records(records);
  const auto again = parse_records(text);
  ASSERT_EQ(again.size(), 2U);
  EXPECT_EQ(again.at({"a", 0}).inputs, records.at({"a", 0}).inputs);
  EXPECT_EQ(again.at({"b", 12}).key, "k");
  for (std::size_t size = 0; size < text.size(); ++size)
    EXPECT_LT(parse_records(text.substr(0, size)).size(), 2U);
  EXPECT_THAT(parse_records("lade step records 1\n99999999999:a"), IsEmpty());
}

TEST(StepInputs, OfVeryManyFilesAreThoseOfTheirDirectories) {
  StepKey key("x");
  key.keep_inputs();
  for (int i = 0; i < 30'000; ++i)
    key.note_file(cat("src/d", i / 1000, "/e", i / 100, "/f", i), static_cast<std::uint64_t>(i));
  const auto inputs = key.take_inputs();
  EXPECT_LT(inputs.size(), 5'001U);
  EXPECT_EQ(inputs.front().name, "files src/d0/e0");
  EXPECT_EQ(kept_value(std::string(1000, 'x')).size(), 160U + 37U);
}

TEST(StepLogs, KeepTheBeginningAndTheEnd) {
  StepLog log;
  EXPECT_TRUE(log.empty());
  log.add("first\n");
  for (int i = 0; i < 1000; ++i) log.add(std::string(1999, 'x') + "\n");
  log.add("almost\nla\x1bst");
  const std::string text = log.text();
  EXPECT_LT(text.size(), 3 * StepLog::kMaxPart + 100);
  EXPECT_TRUE(text.starts_with("first\n"));
  EXPECT_THAT(text, HasSubstr(" bytes left out]\n"));
  EXPECT_EQ(log.last_lines(2, "> "), "> almost\n> la\\x1bst\n");
}

class Explaining : public BuildTest {
 protected:
  /// The explanations of a build, without those of steps that nothing changed for.
  std::string why(const std::string& text, const std::function<void(BuildOptions&)>& change = {}) {
    const std::size_t before = observer_.explanations().size();
    build(text, [&](BuildOptions& o) {
      o.explain = Explain::text;
      if (change) change(o);
    });
    return observer_.explanations().substr(before);
  }
};

TEST_F(Explaining, NamesFilesArgumentsAndInstructions) {
  file("src/a", "1");
  file("src/b", "1");
  const std::string text = shell_base() + "ARG A=1\nCOPY src /src\nRUN echo $A > /a\n";
  EXPECT_THAT(why(text), HasSubstr("COPY src /src: executed, it was not built here before\n"));
  EXPECT_THAT(why(text), HasSubstr("[base 4/5] COPY src /src: cached, nothing changed\n"));
  file("src/b", "2");
  file("src/c", "new");
  ASSERT_EQ(::unlink(cat(context_path(), "/src/a").c_str()), 0);
  const std::string changed = why(text);
  EXPECT_THAT(changed, HasSubstr("COPY src /src: executed, this changed:\n"
                                 "    file src/b: changed\n    file src/c: added\n"
                                 "    file src/a: removed\n"));
  EXPECT_THAT(changed,
              HasSubstr("RUN echo $A > /a: executed, this changed:\n    the tree below: "));
  EXPECT_THAT(why(text, [](BuildOptions& o) { o.build_args["A"] = "2"; }),
              HasSubstr("executed, this changed:\n    environment A: '1' -> '2'\n"));
  EXPECT_THAT(why(text), HasSubstr("RUN echo $A > /a: cached, the same step was built before\n"));
  EXPECT_THAT(why(shell_base() + "ARG A=1\nCOPY src /src\nRUN echo $A > /b\n"),
              HasSubstr("the instruction is another one\n    instruction: 'RUN echo $A > /a' -> "));
}

TEST_F(Explaining, NamesTheBaseImageThatChanged) {
  file("f", "1");
  const auto build_base = [&](const std::string& label) {
    build(cat("FROM scratch\nCOPY f /f\nLABEL a=", label, "\nCOPY f /", label, "\n"),
          [&](BuildOptions& o) { o.names = {"base"}, o.context = room_.path() + "/context/."; });
  };
  file("Containerfile", "FROM base\nCOPY f /g\n");
  const auto from_file = [](BuildOptions& o) { o.containerfile_text.reset(); };
  build_base("one");
  why("", from_file);
  build_base("two");
  EXPECT_THAT(why("", from_file), testing::AllOf(HasSubstr("    base image: 'base@sha256:"),
                                                 testing::Not(HasSubstr("the tree below"))));
}

TEST_F(Explaining, IsJsonOnRequest) {
  file("f", "1");
  build("FROM scratch\nCOPY f /f\n");
  file("f", "2");
  build("FROM scratch\nCOPY f /f\n", [](BuildOptions& o) { o.explain = Explain::json; });
  EXPECT_THAT(observer_.explanations(),
              HasSubstr("\"result\":\"executed\",\"reason\":\"this changed:\",\"changes\":[{"
                        "\"input\":\"file f\",\"change\":\"changed\","));
}

}  // namespace
}  // namespace lade::build
