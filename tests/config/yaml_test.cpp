#include "libimage/config/yaml.h"

#include <gtest/gtest.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"

namespace lade {
namespace {

using Kind = YamlValue::Kind;

/// The tree as one line: scalars as they are, quoted ones in quotes, null as "~".
std::string shape(const YamlValue& value) {
  switch (value.kind) {
    case Kind::null:
      return "~";
    case Kind::scalar:
      return value.is_quoted ? cat("'", value.text, "'") : value.text;
    case Kind::sequence: {
      std::string out = "[";
      for (const YamlValue& item : value.items) out += cat(out.size() > 1 ? "," : "", shape(item));
      return out + "]";
    }
    case Kind::mapping: {
      std::string out = "{";
      for (const YamlValue& member : value.members) {
        out += cat(out.size() > 1 ? "," : "", member.key, ":", shape(member));
      }
      return out + "}";
    }
  }
  return {};
}

std::string read(std::string_view text) { return shape(parse_yaml(text)); }

std::string refusal(std::string_view text, Errc code = Errc::invalid_content) {
  try {
    return "read as " + read(text);
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), code) << e.what();
    return e.what();
  }
}

TEST(Yaml, ReadsTheFormsOfConfigurationFiles) {
  EXPECT_EQ(read(""), "~");
  EXPECT_EQ(read("# nothing\n"), "~");
  EXPECT_EQ(read("a: 1\nb:\n  - x\n  - 'y'\nc: {d: e, f: [g]}\n"), "{a:1,b:[x,'y'],c:{d:e,f:[g]}}");
  EXPECT_EQ(read("a:\nb: ~\nc: null\nd: ''\ne: \"null\"\n"), "{a:~,b:~,c:~,d:'',e:'null'}");
  EXPECT_EQ(read("a: 1.10\nb: 0x10\nc: 2024-01-01\n"), "{a:1.10,b:0x10,c:2024-01-01}");
  EXPECT_EQ(read("---\na: b\n...\n"), "{a:b}");
  EXPECT_EQ(read("{\"json\": [\"is\", \"yaml\"]}"), "{json:['is','yaml']}");
  EXPECT_EQ(read("a: |\n  two\n  lines\n"), "{a:'two\nlines\n'}");
  EXPECT_EQ(parse_yaml("a: 1\n\nb:\n  c: 2\n").find("b")->find("c")->line, 4U);
}

TEST(Yaml, ResolvesAliasesAndMergesByCopying) {
  EXPECT_EQ(read("a: &x [1, 2]\nb: *x\n"), "{a:[1,2],b:[1,2]}");
  EXPECT_EQ(read("a: &x {k: 1, l: 2}\nb:\n  <<: *x\n  l: 3\n"), "{a:{k:1,l:2},b:{l:3,k:1}}");
  EXPECT_EQ(read("a: &x {k: 1}\nb: &y {k: 2, m: 3}\nc:\n  <<: [*x, *y]\n"),
            "{a:{k:1},b:{k:2,m:3},c:{k:1,m:3}}");
}

TEST(Yaml, KnowsBooleans) {
  for (const char* word : {"true", "True", "TRUE", "yes", "on"}) {
    EXPECT_EQ(parse_yaml(word).boolean(), true) << word;
  }
  for (const char* word : {"false", "False", "FALSE", "no", "off"}) {
    EXPECT_EQ(parse_yaml(word).boolean(), false) << word;
  }
  for (const char* word : {"'true'", "1", "~", "[true]", "y"}) {
    EXPECT_FALSE(parse_yaml(word).boolean()) << word;
  }
}

TEST(Yaml, RefusesOtherTextsWithTheLine) {
  EXPECT_EQ(refusal("a: 1\nb: [\n").substr(0, 6), "line 3");
  EXPECT_EQ(refusal("a: 1\na: 2\n"), "line 2: the key 'a' occurs twice");
  EXPECT_EQ(refusal("a: 1\n[b]: 2\n"), "line 2: a key must be a text");
  EXPECT_EQ(refusal("a: &x [*x]\n"), "line 1: an alias stands for what contains it");
  EXPECT_NE(refusal("a: *nobody\n").find("line 1"), std::string::npos);
  EXPECT_EQ(refusal("<<: 7\n"), "line 1: '<<' merges mappings only");
  EXPECT_EQ(refusal("a: 1\n---\nb: 2\n"), "more than one document");
  EXPECT_EQ(refusal("a: \xFF\n"), "the text is not UTF-8");
  EXPECT_EQ(refusal("a: b: c\n").substr(0, 6), "line 1");
  EXPECT_EQ(refusal("\ta: b\n").substr(0, 4), "line");
}

TEST(Yaml, BoundsDepthSizeAndAliases) {
  (void)refusal(std::string(100'000, '['), Errc::limit_exceeded);
  (void)refusal(std::string(kMaxYamlBytes + 1, ' '), Errc::limit_exceeded);
  std::string bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 10; ++i) {
    bomb += cat("a", i, ": &a", i, " [");
    for (int j = 0; j < 10; ++j) bomb += cat(j == 0 ? "" : ", ", "*a", i - 1);
    bomb += "]\n";
  }
  EXPECT_NE(refusal(bomb, Errc::limit_exceeded).find("values"), std::string::npos);
  std::string nested;
  for (std::size_t i = 0; i < kMaxYamlDepth; ++i) nested += cat(std::string(i, ' '), "a:\n");
  EXPECT_EQ(read(nested).size(), kMaxYamlDepth * 4 + 1);
  EXPECT_NE(refusal(cat(nested, std::string(kMaxYamlDepth, ' '), "a: 1\n"), Errc::limit_exceeded)
                .find("nested deeper"),
            std::string::npos);
}

}  // namespace
}  // namespace lade
