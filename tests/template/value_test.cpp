#include "libimage/template/value.h"

#include <gtest/gtest.h>

#include "libimage/base/error.h"
#include "libimage/template/go_text.h"

namespace lade::templates {
namespace {

TEST(Value, JsonComesBackWithItsMembersSorted) {
  EXPECT_EQ(to_json(from_json(R"({"b":[1,2.5,true,null,"x"],"a":{}})")),
            R"({"a":{},"b":[1,2.5,true,null,"x"]})");
}

TEST(Value, RecordsKeepTheirOrderAndOmitWhatIsEmpty) {
  const Value record = Value::of(ValueRecord{
      .type = "inspect.Output",
      .fields = {{.name = "Name", .value = Value::of(std::string()), .omit_empty = true},
                 {.name = "Digest", .value = Value::of(std::string("sha256:aa"))},
                 {.name = "MIMEType", .json_name = "mediaType", .value = Value::nil()}}});
  EXPECT_EQ(to_json(record, {.indent = 4}),
            "{\n    \"Digest\": \"sha256:aa\",\n    \"mediaType\": null\n}");
}

TEST(Value, EmptyContainersStandInOneLine) {
  EXPECT_EQ(to_json(from_json(R"({"a":[],"b":{},"c":[[]]})"), {.indent = 2}),
            "{\n  \"a\": [],\n  \"b\": {},\n  \"c\": [\n    []\n  ]\n}");
}

TEST(Value, HtmlIsEscapedOnlyWhereAskedFor) {
  const Value text = Value::of(std::string("<a> & \"b\"\n\x01\x7f\xe2\x80\xa8\xff"));
  EXPECT_EQ(to_json(text), "\"<a> & \\\"b\\\"\\n\\u0001\x7f\\u2028\\ufffd\"");
  EXPECT_EQ(to_json(text, {.escape_html = true}),
            "\"\\u003ca\\u003e \\u0026 \\\"b\\\"\\n\\u0001\x7f\\u2028\\ufffd\"");
}

TEST(Value, NilListsAreNullAndPrintAsEmpty) {
  const Value list = Value::of(ValueList{.items = {}, .element_type = "string", .is_nil = true});
  EXPECT_EQ(to_json(list), "null");
  EXPECT_EQ(print_value(list), "[]");
  EXPECT_FALSE(list.truth());
}

TEST(Value, TimesPrintAsGoPrintsThemAndAreRfc3339InJson) {
  const Value time = Value::of(*parse_rfc3339("2024-01-02T03:04:05.5Z"));
  EXPECT_EQ(print_value(time), "2024-01-02 03:04:05.5 +0000 UTC");
  EXPECT_EQ(to_json(time), "\"2024-01-02T03:04:05.5Z\"");
}

TEST(Value, DeepJsonIsRefused) {
  const std::string deep = std::string(100'000, '[');
  EXPECT_THROW((void)from_json(deep), Error);
  EXPECT_THROW((void)from_json("{\"a\":"), Error);
}

TEST(GoText, QuotesAsStrconvDoes) {
  EXPECT_EQ(go_quote("a\"b\\c\n\t\x01\x7f\xff\xc3\xa9\xe2\x80\x8b"),
            "\"a\\\"b\\\\c\\n\\t\\x01\\x7f\\xff\xc3\xa9\\u200b\"");
}

TEST(GoText, UnquotesTheThreeKindsOfLiterals) {
  EXPECT_EQ(go_unquote(R"("a\tb\x41\u00e9\101")"),
            "a\tbA\xc3\xa9"
            "A");
  EXPECT_EQ(go_unquote("`a\\n`"), "a\\n");
  EXPECT_EQ(go_unquote("'\\''"), "'");
  EXPECT_FALSE(go_unquote("\"a"));
  EXPECT_FALSE(go_unquote(R"("\z")"));
  EXPECT_FALSE(go_unquote(R"("\ud800")"));
}

}  // namespace
}  // namespace lade::templates
