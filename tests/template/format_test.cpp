#include "libimage/template/format.h"

#include <gtest/gtest.h>

#include "libimage/base/error.h"

namespace lade::templates {
namespace {

std::vector<Value> rows() {
  return {from_json(R"({"ID":"1","Name":"one"})"), from_json(R"({"ID":"22","Name":"two"})")};
}

std::string made(const std::string& format, const FormatOptions& options = {}) {
  std::string out;
  render_format(format, rows(), options, out);
  return out;
}

TEST(Format, EachRowIsALine) { EXPECT_EQ(made("{{.ID}}={{.Name}}"), "1=one\n22=two\n"); }

TEST(Format, EscapesOfTheShellBecomeTabsAndLineEnds) {
  EXPECT_EQ(made("{{.ID}}\\t{{.Name}}\\n"), "1\tone\n22\ttwo\n");
  EXPECT_EQ(made("{{printf \"%s\\n\" .ID}}-"), "1\n-\n22\n-\n");
}

TEST(Format, AFormatThatRangesItselfGetsTheWholeList) {
  EXPECT_EQ(made("{{range .}}{{.ID}},{{end}}"), "1,22,\n");
}

TEST(Format, TablesAlignTheirColumns) {
  EXPECT_EQ(made("table {{.ID}} {{.Name}}"), "1           one\n22          two\n");
  EXPECT_EQ(made("table {{.ID}} {{.Name}}",
                 {.headers = from_json(R"({"ID":"IDENTIFIER","Name":"NAME"})")}),
            "IDENTIFIER  NAME\n1           one\n22          two\n");
}

TEST(Format, JsonIsRecognised) {
  EXPECT_TRUE(is_json_format("json"));
  EXPECT_TRUE(is_json_format("{{json .}}"));
  EXPECT_TRUE(is_json_format("{{ json . }}"));
  EXPECT_FALSE(is_json_format("{{json .Name}}"));
}

TEST(Format, ColumnsAreAsWideAsTheirWidestCell) {
  EXPECT_EQ(align_columns("a\tb\tc\nlonger than that\tx\ty\n", {.least = 0, .gap = 1}),
            "a                b c\nlonger than that x y\n");
  EXPECT_EQ(align_columns("no tabs\n"), "no tabs\n");
  EXPECT_EQ(align_columns("a\tb\n\naaaaaa\tb\n", {.least = 0, .gap = 1}), "a b\n\naaaaaa b\n");
}

}  // namespace
}  // namespace lade::templates
