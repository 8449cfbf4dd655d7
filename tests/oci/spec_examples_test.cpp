// The documents of the image specification itself, from Debian's package of it: the examples in its
// text and the tables of its schema tests.
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/oci/document.h"
#include "libimage/oci/image_config.h"
#include "libimage/oci/layout.h"

namespace lade::oci {
namespace {

namespace fs = std::filesystem;

const fs::path kSpecification = "/usr/share/gocode/src/github.com/opencontainers/image-spec";

std::string content_of(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  EXPECT_TRUE(in) << path << " is missing: install golang-github-opencontainers-image-spec-dev";
  return {std::istreambuf_iterator<char>(in), {}};
}

/// Parses `text` as what `kind` names, writes the value, and expects to read the same value again.
void round_trip(std::string_view kind, const std::string& text) {
  if (kind == "manifest") {
    const Manifest manifest = parse_manifest(text);
    EXPECT_EQ(parse_manifest(serialise(manifest)), manifest);
  } else if (kind == "index") {
    const Index index = parse_index(text);
    EXPECT_EQ(parse_index(serialise(index)), index);
  } else if (kind == "descriptor") {
    round_trip("index", cat(R"({"schemaVersion":2,"manifests":[)", text, "]}"));
  } else if (kind == "config") {
    const ImageConfig config = parse_image_config(text);
    EXPECT_EQ(parse_image_config(serialise(config)), config);
  } else if (kind == "layout") {
    check_layout_marker(text);
  } else {
    FAIL() << "no parser for " << kind;
  }
}

std::string kind_of(std::string_view media_type) {
  if (media_type.find("manifest") != std::string_view::npos) return "manifest";
  if (media_type.find("index") != std::string_view::npos) return "index";
  if (media_type.find("config") != std::string_view::npos) return "config";
  if (media_type.find("layout") != std::string_view::npos) return "layout";
  return "descriptor";
}

/// The blocks "```json,title=...&mediatype=TYPE" of a file of the specification.
std::vector<std::pair<std::string, std::string>> examples_in(const std::string& text) {
  std::vector<std::pair<std::string, std::string>> found;
  constexpr std::string_view kMark = "&mediatype=";
  for (std::size_t at = text.find("```json,"); at != std::string::npos;
       at = text.find("```json,", at + 1)) {
    const std::size_t line_end = text.find('\n', at);
    const std::string fence = text.substr(at, line_end - at);
    const std::size_t mark = fence.find(kMark);
    if (mark == std::string::npos) continue;
    const std::size_t end = text.find("```", line_end);
    found.emplace_back(kind_of(fence.substr(mark + kMark.size())),
                       text.substr(line_end + 1, end - line_end - 1));
  }
  return found;
}

TEST(SpecificationExamples, AreReadAndWrittenBack) {
  std::size_t count = 0;
  for (const char* file :
       {"config.md", "descriptor.md", "image-index.md", "image-layout.md", "manifest.md"}) {
    for (const auto& [kind, text] : examples_in(content_of(kSpecification / file))) {
      SCOPED_TRACE(cat(file, ": ", text));
      EXPECT_NO_THROW(round_trip(kind, text));
      ++count;
    }
  }
  EXPECT_GE(count, 9U);
}

struct Case {
  std::string text;
  bool fail = false;
};

/// The cases of a table "{ name: `json`, fail: true }" in a Go file.
std::vector<Case> cases_in(const std::string& text, const std::string& name) {
  std::vector<Case> found;
  const std::string opening = name + ": `";
  for (std::size_t at = text.find(opening); at != std::string::npos;
       at = text.find(opening, at + 1)) {
    const std::size_t begin = at + opening.size();
    const std::size_t end = text.find('`', begin);
    const std::size_t next = text.find(opening, end);
    const std::string rest = text.substr(end, next == std::string::npos ? next : next - end);
    const std::size_t fail = rest.find("fail:");
    const bool fails = fail != std::string::npos &&
                       trimmed(std::string_view(rest).substr(fail + 5)).starts_with("true");
    found.push_back({text.substr(begin, end - begin), fails});
  }
  return found;
}

/// Where we differ from the schema on purpose: a manifest may have no layers (image-spec 1.1 says
/// SHOULD, and images FROM scratch have none), and a config whose Env lacks a '=' is still read.
bool accepted_on_purpose(const std::string& text) {
  return text.find(R"("layers": [])") != std::string::npos ||
         text.find("\"Env\": [\n            \"foo\"\n") != std::string::npos;
}

void run_table(const std::string& file, const std::string& member, std::string_view kind,
               std::size_t at_least) {
  const auto cases = cases_in(content_of(kSpecification / "schema" / file), member);
  EXPECT_GE(cases.size(), at_least) << file;
  for (const Case& one : cases) {
    SCOPED_TRACE(cat(file, ": ", one.text));
    if (one.fail && !accepted_on_purpose(one.text)) {
      EXPECT_THROW(round_trip(kind, one.text), Error);
    } else {
      EXPECT_NO_THROW(round_trip(kind, one.text));
    }
  }
}

TEST(SpecificationTables, Descriptor) {
  run_table("descriptor_test.go", "descriptor", "descriptor", 24);
}
TEST(SpecificationTables, Index) { run_table("imageindex_test.go", "imageIndex", "index", 9); }
TEST(SpecificationTables, Manifest) { run_table("manifest_test.go", "manifest", "manifest", 8); }
TEST(SpecificationTables, Config) { run_table("config_test.go", "config", "config", 9); }
TEST(SpecificationTables, Layout) { run_table("imagelayout_test.go", "imageLayout", "layout", 2); }
TEST(SpecificationTables, DockersIndex) {
  run_table("backwards_compatibility_test.go", "imageIndex", "index", 1);
}
TEST(SpecificationTables, DockersManifest) {
  run_table("backwards_compatibility_test.go", "manifest", "manifest", 1);
}
TEST(SpecificationTables, DockersConfig) {
  run_table("backwards_compatibility_test.go", "config", "config", 1);
}

}  // namespace
}  // namespace lade::oci
