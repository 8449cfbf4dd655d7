#include "libimage/image/select.h"

#include <gtest/gtest.h>

#include "libimage/base/error.h"

#include "tests/image/fixture.h"

namespace lade::image {
namespace {

template <typename Body>
Error error_of(Body&& body) {
  try {
    body();
  } catch (const Error& e) {
    return e;
  }
  ADD_FAILURE() << "nothing was thrown";
  return Error(Errc::internal, "");
}

const oci::Platform kAmd64{.architecture = "amd64", .os = "linux"};
const oci::Platform kArm64{.architecture = "arm64", .os = "linux"};

TEST(Select, TakesTheEntryForThePlatform) {
  MemoryStore store;
  const auto amd64 = with_platform(put_image(store, {}), "linux", "amd64");
  const auto arm64 =
      with_platform(put_image(store, {.architecture = "arm64"}), "linux", "arm64", "v8");
  const auto root = put_index(store, {amd64, arm64});
  const oci::Document chosen = select(store, root, kArm64);
  EXPECT_EQ(chosen.descriptor.digest, arm64.digest);
  ASSERT_TRUE(chosen.descriptor.platform);
  EXPECT_EQ(chosen.descriptor.platform->variant, "v8");
}

TEST(Select, TakesAManifestAsItIs) {
  MemoryStore store;
  const auto image = put_image(store, {});
  EXPECT_EQ(select(store, image, kArm64).descriptor.digest, image.digest);
}

TEST(Select, ListsThePlatformsThatThereAre) {
  MemoryStore store;
  const auto root = put_index(
      store, {with_platform(put_image(store, {}), "linux", "amd64"),
              with_platform(put_image(store, {.architecture = "arm"}), "linux", "arm", "v7"),
              with_platform(put_image(store, {.os = "unknown"}), "unknown", "unknown")});
  const Error error = error_of([&] { select(store, root, kArm64); });
  EXPECT_EQ(error.code(), Errc::not_found);
  EXPECT_EQ(error.what(), cat("no image for linux/arm64 in index ", root.digest.brief(),
                              ": it has linux/amd64, linux/arm/v7"));
}

TEST(Select, SaysWhenThereIsNoPlatformAtAll) {
  MemoryStore store;
  const Error error = error_of([&] { select(store, put_index(store, {}), kArm64); });
  EXPECT_EQ(error.code(), Errc::not_found);
  EXPECT_NE(std::string(error.what()).find("none with a platform"), std::string::npos);
}

TEST(Select, CutsALongListOfPlatforms) {
  MemoryStore store;
  std::vector<oci::Descriptor> entries;
  const auto image = put_image(store, {});
  for (int i = 0; i < 30; ++i) entries.push_back(with_platform(image, "linux", cat("cpu", i)));
  const Error error = error_of([&] { select(store, put_index(store, entries), kArm64); });
  EXPECT_NE(std::string(error.what()).find("and 10 more"), std::string::npos) << error.what();
}

TEST(Select, LooksIntoIndexesWithinIndexes) {
  MemoryStore store;
  const auto arm64 = with_platform(put_image(store, {.architecture = "arm64"}), "linux", "arm64");
  const auto amd64 = with_platform(put_image(store, {}), "linux", "amd64");
  const auto root = put_index(store, {put_index(store, {amd64}), put_index(store, {arm64})});
  EXPECT_EQ(select(store, root, kArm64).descriptor.digest, arm64.digest);
  EXPECT_EQ(select(store, root, kAmd64).descriptor.digest, amd64.digest);
}

TEST(Select, RefusesIndexesNestedTooDeep) {
  MemoryStore store;
  oci::Descriptor root = with_platform(put_image(store, {}), "linux", "amd64");
  for (std::size_t i = 0; i < oci::kMaxIndexDepth; ++i) root = put_index(store, {root});
  EXPECT_NO_THROW(select(store, root, kAmd64));
  root = put_index(store, {root});
  EXPECT_EQ(error_of([&] { select(store, root, kAmd64); }).code(), Errc::limit_exceeded);
}

TEST(Select, RefusesToSearchTooManyIndexes) {
  MemoryStore store;
  std::vector<oci::Descriptor> entries;
  for (int i = 0; i < 110; ++i) {
    entries.push_back(
        put_index(store, {with_platform(put_image(store, {}), "linux", cat("cpu", i))}));
  }
  EXPECT_EQ(error_of([&] { select(store, put_index(store, entries), kAmd64); }).code(),
            Errc::limit_exceeded);
}

TEST(Select, NamesTheTypeOfWhatIsNoImage) {
  MemoryStore store;
  const Error error =
      error_of([&] { select(store, store.put("application/x-new+json", "{}"), kAmd64); });
  EXPECT_EQ(error.code(), Errc::unsupported);
  EXPECT_NE(std::string(error.what()).find("'application/x-new+json'"), std::string::npos);
}

oci::Manifest manifest_of(MemoryStore& store, const oci::Descriptor& image) {
  return std::get<oci::Manifest>(store.document(image).parsed);
}

TEST(ReadConfig, ReadsTheConfigOfAnImage) {
  MemoryStore store;
  const auto manifest = manifest_of(store, put_image(store, {.layers = {"a", "b"}}));
  const oci::ImageConfig config = read_config(store, manifest);
  EXPECT_EQ(config.architecture, "amd64");
  EXPECT_EQ(config.diff_ids.size(), 2U);
}

TEST(ReadConfig, RefusesAnArtifact) {
  MemoryStore store;
  const oci::Manifest manifest{.config = store.put(oci::MediaType(oci::kEmptyJson), "{}")};
  const Error error = error_of([&] { read_config(store, manifest); });
  EXPECT_EQ(error.code(), Errc::unsupported);
  EXPECT_NE(std::string(error.what()).find("artifact"), std::string::npos);
}

TEST(ReadConfig, RefusesAConfigLargerThanAnyHonestOne) {
  MemoryStore store;
  auto blob = store.put(oci::MediaType(oci::kImageConfig), "{}");
  blob.size = INT64_MAX;
  const Error error = error_of([&] { read_config(store, {.config = blob}); });
  EXPECT_EQ(error.code(), Errc::limit_exceeded);
}

TEST(ReadConfig, RefusesDiffIdsThatDoNotMatchTheLayers) {
  MemoryStore store;
  oci::Manifest manifest = manifest_of(store, put_image(store, {.layers = {"a", "b"}}));
  manifest.layers.pop_back();
  const Error error = error_of([&] { read_config(store, manifest); });
  EXPECT_EQ(error.code(), Errc::invalid_content);
  EXPECT_NE(std::string(error.what()).find("2 diff IDs, but the manifest has 1 layers"),
            std::string::npos)
      << error.what();
}

TEST(ReadConfig, RefusesAConfigWhoseBytesChanged) {
  MemoryStore store;
  const oci::Manifest manifest = manifest_of(store, put_image(store, {}));
  std::string bytes = store.bytes_of_blob(manifest.config.digest);
  bytes[bytes.find("amd64")] = 'A';
  store.corrupt(manifest.config.digest, bytes);
  EXPECT_EQ(error_of([&] { read_config(store, manifest); }).code(), Errc::digest_mismatch);
}

}  // namespace
}  // namespace lade::image
