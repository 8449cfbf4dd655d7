#include "libimage/oci/json_text.h"

#include "tests/oci/expect.h"

namespace lade::oci {
namespace {

TEST(JsonString, EscapesWhatJsonDemands) {
  EXPECT_EQ(json_string(""), R"("")");
  EXPECT_EQ(json_string("a\"b\\c/d"), R"("a\"b\\c/d")");
  EXPECT_EQ(json_string("\b\f\n\r\t"), R"("\b\f\n\r\t")");
  EXPECT_EQ(json_string(std::string_view("\0\x1f\x7f", 3)), "\"\\u0000\\u001f\x7f\"");
  EXPECT_EQ(json_string("<&>é€😀"), "\"<&>é€😀\"");
}

TEST(JsonString, ReplacesBytesThatAreNotUtf8) {
  EXPECT_EQ(json_string("a\xFFz"), "\"a\xEF\xBF\xBDz\"");
  EXPECT_EQ(json_string("\xE2\x82"), "\"\xEF\xBF\xBD\xEF\xBF\xBD\"");
  EXPECT_EQ(json_string("\xC3"), "\"\xEF\xBF\xBD\"");
  EXPECT_EQ(json_string("\xF0\x9F\x98\x80\x80"), "\"😀\xEF\xBF\xBD\"");
}

TEST(PrettyJson, KeepsOrderAndSpelling) {
  EXPECT_EQ(pretty_json(R"({"z":[1.0,{"b":null,"a":[]}],"a":{},"n":-1E5,"s":"x\ny"})"),
            R"({
  "z": [
    1.0,
    {
      "b": null,
      "a": []
    }
  ],
  "a": {},
  "n": -1E5,
  "s": "x\ny"
})");
  EXPECT_EQ(pretty_json("[true]", 4), "[\n    true\n]");
  EXPECT_EQ(pretty_json(" 7 "), "7");
  EXPECT_EQ(pretty_json("[1]", 0), "[\n1\n]");
}

TEST(PrettyJson, RefusesWhatIsNoJson) {
  for (const std::string_view text : {"", "{", "[1,]", "\"\xFF\"", "{} x"}) {
    expect_refused({text, "not "}, [](std::string_view json) { pretty_json(json); });
  }
  expect_refused({R"({"a":1,"a":2})", "occurs twice"},
                 [](std::string_view json) { pretty_json(json); });
}

}  // namespace
}  // namespace lade::oci
