#include "libimage/image/statement.h"

#include <gtest/gtest.h>

#include "libimage/base/base64.h"
#include "libimage/base/error.h"
#include "libimage/base/text.h"

namespace lade::image {
namespace {

constexpr std::string_view kVersion1 = R"({
  "predicateType": "https://slsa.dev/provenance/v1",
  "predicate": {
    "buildDefinition": {
      "buildType": "https://build.example/type",
      "externalParameters": {"configSource": {"uri": "https://git.example/r.git", "path": "File"},
                             "request": {"args": {"build-arg:V": "1"}}},
      "resolvedDependencies": [{"uri": "pkg:docker/docker/dockerfile@1"},
                               {"uri": "pkg:docker/registry.example/base@1", "digest": {"sha1": "x"}}]},
    "runDetails": {"builder": {"id": "me"},
                   "metadata": {"startedOn": "2026-01-01T00:00:00Z", "finishedOn": "later",
                                "buildkit_metadata": {"vcs": {"source": "src", "revision": "abc"}}}}}})";

TEST(Statement, ReadsProvenanceOfVersion1) {
  const Statement statement = parse_statement(kVersion1, "application/vnd.in-toto+json");
  EXPECT_EQ(statement.kind, Statement::Kind::provenance);
  ASSERT_TRUE(statement.provenance);
  const Provenance& provenance = *statement.provenance;
  EXPECT_EQ(provenance.builder, "me");
  EXPECT_EQ(provenance.build_type, "https://build.example/type");
  EXPECT_EQ(provenance.source, "src");
  EXPECT_EQ(provenance.revision, "abc");
  EXPECT_EQ(provenance.entry, "File");
  EXPECT_EQ(provenance.arguments.at("build-arg:V"), "1");
  EXPECT_EQ(provenance.materials.size(), 2U);
  EXPECT_EQ(base_of(provenance)->name, "registry.example/base:1");
  EXPECT_FALSE(base_of(provenance)->digest);
}

TEST(Statement, ReadsSbomsOfBothFormats) {
  const Statement spdx = parse_statement(
      R"({"spdxVersion":"SPDX-2.3","creationInfo":{"creators":["Organization: o","Tool: t-1"]},
          "packages":[{"name":"a","versionInfo":"1","licenseDeclared":"NOASSERTION",
            "externalRefs":[{"referenceType":"purl","referenceLocator":"pkg:deb/a@1"}]}]})",
      "application/spdx+json");
  ASSERT_TRUE(spdx.sbom);
  EXPECT_EQ(spdx.sbom->format, "SPDX-2.3");
  EXPECT_EQ(spdx.sbom->tool, "t-1");
  ASSERT_EQ(spdx.sbom->packages.size(), 1U);
  EXPECT_EQ(spdx.sbom->packages[0].license, "");
  EXPECT_EQ(spdx.sbom->packages[0].purl, "pkg:deb/a@1");
  const Statement cyclone = parse_statement(
      R"({"bomFormat":"CycloneDX","specVersion":"1.5","components":[{"name":"b","version":"2"}]})",
      "application/vnd.cyclonedx+json");
  ASSERT_TRUE(cyclone.sbom);
  EXPECT_EQ(cyclone.sbom->format, "CycloneDX 1.5");
  EXPECT_EQ(cyclone.sbom->packages[0].version, "2");
}

TEST(Statement, OpensEnvelopes) {
  const std::string envelope =
      cat(R"({"payload":")", to_base64(kVersion1), R"(","signatures":[]})");
  EXPECT_TRUE(parse_statement(envelope, "x/y").provenance);
  EXPECT_TRUE(parse_statement(cat(R"({"dsseEnvelope":)", envelope, "}"), "x/y").provenance);
}

TEST(Statement, KnowsNoBaseAmongSeveralImages) {
  EXPECT_FALSE(base_of(Provenance{}));
  EXPECT_FALSE(
      base_of(Provenance{.materials = {{.uri = "pkg:docker/a@1"}, {.uri = "pkg:docker/b@1"}}}));
}

TEST(Statement, RefusesWhatIsNoJson) {
  EXPECT_THROW((void)parse_statement("no", "x/y"), Error);
  EXPECT_THROW((void)parse_statement(R"({"payload":"?"})", "x/y"), Error);
  EXPECT_THROW((void)parse_statement(R"({"predicateType":"x"})", "x/y"), Error);
}

}  // namespace
}  // namespace lade::image
