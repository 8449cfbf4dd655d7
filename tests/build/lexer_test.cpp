#include "libimage/build/lexer.h"

#include <gmock/gmock.h>

#include "libimage/base/text.h"

namespace lade::build {
namespace {

using testing::HasSubstr;

LexedFile lexed(std::string text) { return lex(SourceText("Containerfile", std::move(text))); }

/// "KEYWORD|arguments|first-last" of each instruction.
std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> out;
  for (const LogicalLine& line : lexed(text).instructions)
    out.push_back(
        cat(line.keyword, "|", line.arguments, "|", line.lines.first, "-", line.lines.last));
  return out;
}

std::string error_of(const std::string& text) {
  try {
    lexed(text);
  } catch (const Error& e) {
    return e.what();
  }
  return "no error";
}

using Lines = std::vector<std::string>;

TEST(Lexer, KeywordsAreUpperCasedAndBlanksAroundArgumentsVanish) {
  EXPECT_EQ(lines_of("from  scratch \n\tLabel\ta=b\t\n"),
            (Lines{"FROM|scratch|1-1", "LABEL|a=b|2-2"}));
}

TEST(Lexer, CommentsDirectlyAboveStayWithTheirInstruction) {
  const LexedFile file = lexed(
      "# check=skip=all\n# a stage\nFROM x\n# gone\n\n#\n#b  c \n # d\nRun y\n# gone\n#\nRUN z\n");
  EXPECT_EQ(file.instructions[0].comments, std::vector<std::string>{"a stage"});
  EXPECT_EQ(file.instructions[1].comments, (std::vector<std::string>{"b  c", "d"}));
  EXPECT_EQ(file.instructions[2].comments, std::vector<std::string>{});
  EXPECT_EQ(file.instructions[1].keyword, "RUN");
  EXPECT_EQ(file.instructions[1].written, "Run");
}

TEST(Lexer, AnEmptyLineInsideAContinuedOneIsNoted) {
  const LexedFile file = lexed("FROM x\nRUN a \\\n\n  b \\\n# c\n  d\nRUN a \\\n# x\n b\n");
  EXPECT_EQ(file.instructions[0].empty_continuation, 0U);
  EXPECT_EQ(file.instructions[1].empty_continuation, 6U);
  EXPECT_EQ(file.instructions[2].empty_continuation, 0U);
}

TEST(Lexer, TriggersAreOneInstruction) {
  EXPECT_EQ(lex_trigger("RUN a\n \n", {3, 3}).arguments, "a");
  EXPECT_EQ(lex_trigger("RUN <<E\na\nE\n", {3, 3}).heredocs.size(), 1U);
  EXPECT_THROW(lex_trigger("RUN a\nRUN b", {3, 3}), Error);
  EXPECT_THROW(lex_trigger("RUN <<E\na\nE\nRUN b", {3, 3}), Error);
}

TEST(Lexer, ContinuedLinesAreJoinedWithoutTheirEscapeAndKeepTheirIndent) {
  EXPECT_EQ(lines_of("RUN a \\\n  && b\\ \t\n c\nCMD x"),
            (Lines{"RUN|a   && b c|1-3", "CMD|x|4-4"}));
}

TEST(Lexer, AnEscapedEscapeDoesNotContinue) {
  EXPECT_EQ(lines_of("RUN a\\\\\nRUN b"), (Lines{"RUN|a\\\\|1-1", "RUN|b|2-2"}));
}

TEST(Lexer, CommentsAndEmptyLinesInsideAnInstructionVanish) {
  EXPECT_EQ(lines_of("RUN a \\\n# no\n   # neither\n\n  b\n# end"), (Lines{"RUN|a   b|1-5"}));
}

TEST(Lexer, AHashLaterInALineIsData) { EXPECT_EQ(lines_of("RUN a # b"), (Lines{"RUN|a # b|1-1"})); }

TEST(Lexer, CommentsDoNotContinue) { EXPECT_EQ(lines_of("# x \\\nRUN a"), (Lines{"RUN|a|2-2"})); }

TEST(Lexer, ALoneEscapeContinuesAndADanglingOneIsDropped) {
  EXPECT_EQ(lines_of("\\\nRUN a\\"), (Lines{"RUN|a|1-2"}));
}

TEST(Lexer, CarriageReturnsAndTheByteOrderMarkAreNoContent) {
  EXPECT_EQ(lines_of("\xEF\xBB\xBFRUN a \\\r\n b\r\nCMD c\r\n"),
            (Lines{"RUN|a  b|1-2", "CMD|c|3-3"}));
}

TEST(Lexer, TheEscapeDirectiveChangesContinuations) {
  const LexedFile file = lexed("# escape = `\nRUN a `\n b\nRUN c\\\n");
  EXPECT_EQ(file.escape, '`');
  EXPECT_EQ(file.instructions[0].arguments, "a  b");
  EXPECT_EQ(file.instructions[1].arguments, "c\\");
}

TEST(Lexer, DirectivesStandOnlyAtTheTop) {
  EXPECT_EQ(lexed("# syntax=docker/dockerfile:1\n#escape=`\nRUN a").directives.size(), 2U);
  EXPECT_EQ(lexed("# a comment\n# escape=`\nRUN a").escape, '\\');
  EXPECT_EQ(lexed("\n# escape=`\nRUN a").escape, '\\');
  EXPECT_EQ(lexed("# unknown=x\n# escape=`\nRUN a").escape, '\\');
}

TEST(Lexer, BadDirectivesAreErrors) {
  EXPECT_THAT(error_of("# escape=x\nRUN a"), HasSubstr("Containerfile:1: escape must be"));
  EXPECT_THAT(error_of("# escape=`\n# ESCAPE=`\nRUN a"), HasSubstr("given twice"));
}

TEST(Lexer, AFileWithoutInstructionsIsAnError) {
  EXPECT_THAT(error_of("# nothing\n\n"), HasSubstr("no instructions"));
}

TEST(Lexer, LinesThatAreTooLongAndNulBytesAreErrors) {
  EXPECT_THAT(error_of(cat("RUN a\nRUN ", std::string(kMaxLineBytes, 'x'))),
              HasSubstr("Containerfile:2:"));
  EXPECT_THAT(error_of(std::string("RUN a\0b", 7)), HasSubstr("NUL"));
}

TEST(Lexer, AHeredocTakesTheLinesUpToItsDelimiter) {
  const auto line = lexed("RUN <<EOF\n# data\n  a \\\n\nEOF\nCMD x").instructions[0];
  ASSERT_EQ(line.heredocs.size(), 1U);
  EXPECT_EQ(line.heredocs[0].content, "# data\n  a \\\n\n");
  EXPECT_TRUE(line.heredocs[0].expand);
  EXPECT_EQ(line.lines, (LineRange{1, 5}));
}

TEST(Lexer, SeveralHeredocsFollowInOrder) {
  const auto line = lexed("COPY <<a 3<<-'b c' /x/\n1\na\n\t2\n\tb c\n").instructions[0];
  ASSERT_EQ(line.heredocs.size(), 2U);
  EXPECT_EQ(line.heredocs[0], (Heredoc{.name = "a", .content = "1\n"}));
  EXPECT_EQ(line.heredocs[1],
            (Heredoc{.name = "b c", .content = "\t2\n", .expand = false, .chomp = true}));
  EXPECT_EQ(line.heredocs[1].body(), "2\n");
}

TEST(Lexer, OnlyRunCopyAddAndTriggersOfThemHaveHeredocs) {
  EXPECT_EQ(lines_of("CMD <<EOF\nRUN a"), (Lines{"CMD|<<EOF|1-1", "RUN|a|2-2"}));
  EXPECT_EQ(lines_of("RUN [\"a\", \"<<EOF\"]\nRUN b").size(), 2U);
  EXPECT_EQ(lexed("ONBUILD RUN <<EOF\nx\nEOF\n").instructions[0].heredocs.size(), 1U);
  EXPECT_TRUE(lexed("RUN echo $((1 << 2)) \"<<no\" <<< word\n").instructions[0].heredocs.empty());
}

TEST(Lexer, AnUnterminatedHeredocIsAnErrorAtItsLine) {
  EXPECT_THAT(error_of("FROM x\nRUN <<EOF\nabc\n"), HasSubstr("Containerfile:2: heredoc 'EOF'"));
}

TEST(SourceText, ExcerptsMarkTheLinesAndAreSafeToPrint) {
  const SourceText source("f", "one\ntwo\x1b[31m\nthree\nfour\n");
  EXPECT_EQ(source.excerpt({2, 3}), "  1 | one\n> 2 | two\\x1b[31m\n> 3 | three\n  4 | four");
  EXPECT_EQ(source.excerpt({1, 1}), "> 1 | one\n  2 | two\\x1b[31m");
}

}  // namespace
}  // namespace lade::build
