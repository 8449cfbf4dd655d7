// Rules are tested through the program (tests/cli/test_validate.py), against the specification's
// own schemas; here is what only the library shows.
#include "libimage/validate/validate.h"

#include <algorithm>
#include <set>

#include <gtest/gtest.h>

#include "libimage/base/error.h"
#include "libimage/validate/check_document.h"

#include "tests/support/images.h"
#include "tests/support/sample_image.h"

namespace lade::validate {
namespace {

using testing_support::make_image;
using testing_support::make_index;

std::vector<std::string> rules_of(const Report& report) {
  std::set<std::string> out;
  for (const Finding& finding : report.findings) out.insert(std::string(finding.rule->id));
  return {out.begin(), out.end()};
}

const ValidateOptions kDeep = {.layers = ValidateOptions::Layers::deep};

TEST(Validate, FindsNothingInASoundIndex) {
  MemoryStore store;
  const std::string tar = testing::small_tar("a", "1");
  const oci::Descriptor amd64 =
      make_image(store, {tar}, {.architecture = "amd64", .os = "linux"}).manifest;
  const oci::Descriptor arm64 =
      make_image(store, {tar}, {.architecture = "arm64", .os = "linux", .variant = "v8"}).manifest;
  const Report report = validate(store, make_index(store, {amd64, arm64}), kDeep);
  EXPECT_EQ(rules_of(report), std::vector<std::string>{});
  EXPECT_EQ(report.documents, 5U);
  EXPECT_EQ(report.blobs, 1U);  // each once
  EXPECT_EQ(report.entries, 1U);
}

TEST(Validate, FindsTheSameForAnyNumberOfJobs) {
  MemoryStore store;
  std::vector<oci::Descriptor> images;
  for (int i = 0; i < 20; ++i) {
    images.push_back(
        make_image(store, {cat("no tar ", i)}, {.architecture = "odd", .os = "linux"}).manifest);
  }
  const oci::Descriptor root = make_index(store, images);
  ValidateOptions options = kDeep;
  options.jobs = 1;
  const std::string one = to_json(validate(store, root, options), "x");
  options.jobs = 8;
  EXPECT_EQ(to_json(validate(store, root, options), "x"), one);
}

TEST(Validate, ComparesTheConfigWithWhatTheIndexPromises) {
  MemoryStore store;
  oci::Descriptor image =
      make_image(store, {testing::small_tar("a", "1")}, {.architecture = "amd64", .os = "linux"})
          .manifest;
  image.platform->architecture = "arm64";
  EXPECT_EQ(rules_of(validate(store, make_index(store, {image}))),
            std::vector<std::string>{"config-platform"});
}

TEST(Validate, ThrowsWhatIsNoFaultOfTheContent) {
  class Unreachable final : public Reader {
   public:
    std::optional<oci::Descriptor> resolve(const TagOrDigest&) override { return std::nullopt; }

   protected:
    std::unique_ptr<Source> do_open(const oci::Descriptor&) override {
      throw Error(Errc::unavailable, "nobody answers");
    }
  };
  Unreachable reader;
  EXPECT_THROW((void)validate(reader, oci::describe(oci::MediaType(oci::kImageManifest), "x")),
               Error);
}

TEST(Rules, AreSortedAndSayWhereTheyStand) {
  EXPECT_TRUE(std::is_sorted(rules().begin(), rules().end(),
                             [](const Rule& a, const Rule& b) { return a.id < b.id; }));
  for (const Rule& one : rules()) {
    EXPECT_NE(one.section.find(".md, \""), std::string_view::npos) << one.id;
    EXPECT_EQ(&rule(one.id), &one);
  }
}

TEST(CheckDocument, NotesEveryFaultAndKeepsWhatCanBeUsed) {
  const CheckedDocument checked = check_document(
      DocumentKind::manifest,
      R"({"schemaVersion":1,"config":{"digest":5},"layers":[{"mediaType":"a/b","digest":"sha256:)" +
          std::string(64, 'a') + R"(","size":1},7]})",
      "", "m");
  EXPECT_EQ(checked.findings.size(), 5U);
  EXPECT_EQ(checked.links.layers.size(), 1U);
  EXPECT_FALSE(checked.links.config);
}

}  // namespace
}  // namespace lade::validate
