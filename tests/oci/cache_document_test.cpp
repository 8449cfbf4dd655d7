#include "libimage/oci/cache_document.h"

#include <gtest/gtest.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"

namespace lade::oci {
namespace {

const std::string kA = "sha256:" + std::string(64, 'a');
const std::string kB = "sha256:" + std::string(64, 'b');
const std::string kC = "sha256:" + std::string(64, 'c');

std::string error_of(const std::string& json) {
  try {
    parse_cache_document(json);
  } catch (const Error& e) {
    return e.what();
  }
  return "no error";
}

/// A document with layers a and b on a, and the given records.
std::string with_records(const std::string& records) {
  return cat(R"({"layers":[{"blob":")", kA, R"(","parent":-1},{"blob":")", kB, R"("}],"records":[)",
             records, "]}");
}

TEST(CacheDocument, ReadsWhatBuildKitWrites) {
  const std::string json =
      with_records(cat(R"({"digest":")", kC, R"("},{"layers":[{"layer":1,"createdAt":)",
                       R"("2026-01-02T03:04:05Z"}],"chains":[{"layers":[0,1]}],"digest":")", kA,
                       R"(","inputs":[[{"selector":"/src","link":0}]]})"));
  const CacheDocument document = parse_cache_document(json);
  ASSERT_EQ(document.layers.size(), 2U);
  EXPECT_EQ(document.layers[0].parent, std::nullopt);
  EXPECT_EQ(document.layers[1].parent, 0U);  // BuildKit leaves out a 0
  ASSERT_EQ(document.records.size(), 2U);
  const CacheRecord& record = document.records[1];
  EXPECT_EQ(record.results.at(0).layer, 1U);
  EXPECT_EQ(record.results.at(0).created_at, "2026-01-02T03:04:05Z");
  EXPECT_EQ(record.chains.at(0).layers, (std::vector<std::size_t>{0, 1}));
  EXPECT_EQ(record.inputs.at(0).at(0).selector, "/src");
  EXPECT_EQ(serialise(document), json);
}

TEST(CacheDocument, KeepsWhatItDoesNotKnow) {
  const std::string json =
      cat(R"({"layers":[{"blob":")", kA, R"(","parent":-1,"annotations":{"diffID":")", kB,
          R"("}}],"records":[{"layers":[{"layer":0,"x":1}],"digest":")", kC,
          R"(","output":3}],"version":[2]})");
  EXPECT_EQ(serialise(parse_cache_document(json)), json);
}

TEST(CacheDocument, ReadsAnEmptyOne) {
  EXPECT_EQ(parse_cache_document("{}"), CacheDocument());
  EXPECT_EQ(parse_cache_document(R"({"layers":null,"records":null})"), CacheDocument());
}

TEST(CacheDocument, RefusesIndexesOutOfRange) {
  const std::string digest = cat(R"("digest":")", kC, "\"");
  EXPECT_NE(error_of(with_records(cat("{", digest, R"(,"layers":[{"layer":2}]})"))).find("layer 2"),
            std::string::npos);
  EXPECT_NE(
      error_of(with_records(cat("{", digest, R"(,"chains":[{"layers":[0,9]}]})"))).find("layer 9"),
      std::string::npos);
  EXPECT_NE(
      error_of(with_records(cat("{", digest, R"(,"inputs":[[{"link":1}]]})"))).find("record 1"),
      std::string::npos);
  EXPECT_NE(error_of(cat(R"({"layers":[{"blob":")", kA, R"(","parent":7}]})")).find("layer 7"),
            std::string::npos);
  EXPECT_NE(error_of(cat(R"({"layers":[{"blob":")", kA, R"(","parent":-2}]})")).find("parent"),
            std::string::npos);
}

TEST(CacheDocument, RefusesCycles) {
  EXPECT_NE(error_of(cat(R"({"layers":[{"blob":")", kA, R"("}]})")).find("cycle"),
            std::string::npos);
  EXPECT_NE(
      error_of(cat(R"({"layers":[{"blob":")", kA, R"(","parent":1},{"blob":")", kB, R"("}]})"))
          .find("cycle"),
      std::string::npos);
  const std::string first = cat(R"({"digest":")", kA, R"(","inputs":[[{"link":1}]]})");
  const std::string second = cat(R"({"digest":")", kB, R"(","inputs":[[{"link":0}]]})");
  EXPECT_NE(error_of(with_records(first + "," + second)).find("cycle"), std::string::npos);
}

TEST(CacheDocument, RefusesWhatIsNoCache) {
  EXPECT_NE(error_of("[]").find("not an object"), std::string::npos);
  EXPECT_NE(error_of(R"({"layers":[{"blob":"md5"}]})").find("layers[0].blob"), std::string::npos);
  EXPECT_NE(error_of(R"({"records":[{}]})").find("records[0].digest: is missing"),
            std::string::npos);
  std::string many = R"({"records":[)";
  for (int i = 0; i < 200'000; ++i) many += "{},";
  EXPECT_THROW(parse_cache_document(many + "{}]}"), Error);
  EXPECT_THROW(parse_cache_document(std::string(kMaxCacheBytes + 1, ' ')), Error);
}

TEST(CacheDocument, ReadsLongChainsWithoutRecursion) {
  std::string json = cat(R"({"layers":[{"blob":")", kA, R"(","parent":-1})");
  for (int i = 0; i < 40'000; ++i) json += cat(R"(,{"blob":")", kB, R"(","parent":)", i, "}");
  json += "]}";
  EXPECT_EQ(parse_cache_document(json).layers.size(), 40'001U);
}

TEST(CacheRecords, OfAnImageCountItsLayers) {
  const std::string json = cat(R"([{"layers":[{"layer":1}],"digest":")", kA, R"("}])");
  EXPECT_EQ(serialise(parse_cache_records(json, 2)), json);
  EXPECT_THROW(parse_cache_records(json, 1), Error);
}

}  // namespace
}  // namespace lade::oci
