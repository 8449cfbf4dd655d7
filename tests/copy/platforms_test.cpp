#include <algorithm>

#include <gtest/gtest.h>

#include "libimage/base/error.h"
#include "libimage/copy/copy.h"
#include "libimage/name/platform.h"

#include "tests/copy/writers.h"
#include "tests/support/images.h"

namespace lade {
namespace {

using testing_support::make_image;
using testing_support::make_index;
using testing_support::PickyWriter;
using testing_support::quick_options;
using What = CopyOptions::What;

const oci::Platform kAmd64{.architecture = "amd64", .os = "linux"};
const oci::Platform kArm64{.architecture = "arm64", .os = "linux"};
const oci::Platform kS390x{.architecture = "s390x", .os = "linux"};

oci::Platform arm(const std::string& variant) {
  return {.architecture = "arm", .os = "linux", .variant = variant};
}

oci::Descriptor image(MemoryStore& store, const std::string& layer, const oci::Platform& platform) {
  return make_image(store, {layer}, platform, oci::kImageLayerGzip).manifest;
}

oci::Descriptor attestation_of(MemoryStore& store, const oci::Descriptor& subject) {
  oci::Manifest manifest{
      .config = store.put(std::string(oci::kImageConfig), "{}"),
      .layers = {store.put("application/vnd.in-toto+json", "about " + subject.digest.str())}};
  oci::Descriptor entry = store.put(std::string(oci::kImageManifest), oci::serialise(manifest));
  entry.platform = {.architecture = "unknown", .os = "unknown"};
  entry.annotations = oci::Annotations{{"vnd.docker.reference.type", "attestation-manifest"},
                                       {"vnd.docker.reference.digest", subject.digest.str()}};
  return entry;
}

CopyOptions wanting(std::vector<oci::Platform> platforms) {
  CopyOptions options = quick_options(What::platforms);
  options.platforms = std::move(platforms);
  return options;
}

std::vector<oci::Descriptor> entries_of(const CopyPlan& plan) {
  return std::get<oci::Index>(plan.documents.back().parsed).manifests;
}

TEST(Platforms, TrimsAnIndexToThoseAskedForWithTheirAttestations) {
  MemoryStore store;
  const auto amd64 = image(store, "a", kAmd64);
  const auto arm64 = image(store, "b", kArm64);
  const auto s390x = image(store, "c", kS390x);
  const auto about_amd64 = attestation_of(store, amd64);
  const auto about_s390x = attestation_of(store, s390x);
  const auto index = make_index(store, {amd64, arm64, s390x, about_amd64, about_s390x});
  const CopyPlan plan = plan_copy(store, index, {}, wanting({kS390x, kArm64}));
  EXPECT_NE(plan.root.digest, index.digest);
  EXPECT_EQ(entries_of(plan), (std::vector<oci::Descriptor>{arm64, s390x, about_s390x}));
  EXPECT_EQ(plan.documents.size(), 4U);
  EXPECT_FALSE(plan.rewrites_documents);
  EXPECT_TRUE(plan.warnings.empty());
  EXPECT_EQ(plan.root, plan_copy(store, index, {}, wanting({kArm64, kS390x})).root);
}

TEST(Platforms, ASparseIndexKeepsItsDigest) {
  MemoryStore store;
  const auto amd64 = image(store, "a", kAmd64);
  const auto arm64 = image(store, "b", kArm64);
  const auto index = make_index(store, {amd64, arm64, attestation_of(store, arm64)});
  CopyOptions options = wanting({kArm64});
  options.other_entries = CopyOptions::OtherEntries::kept;
  options.preserve_digests = true;
  const CopyPlan plan = plan_copy(store, index, {}, options);
  EXPECT_EQ(plan.root.digest, index.digest);
  ASSERT_EQ(plan.documents.size(), 3U);
  EXPECT_EQ(plan.documents[0].descriptor.digest, arm64.digest);
  PickyWriter to({});
  SilentObserver observer;
  run_copy(plan, store, to, {Tag{"a"}}, options, observer, {});
  EXPECT_TRUE(to.store.contains(arm64));
  EXPECT_FALSE(to.store.contains(amd64));
  options.family = oci::Family::docker;
  EXPECT_THROW(plan_copy(store, index, {}, options), Error);
}

TEST(Platforms, AllThatIsAskedForLeavesTheIndexAsItIs) {
  MemoryStore store;
  const auto index = make_index(store, {image(store, "a", kAmd64), image(store, "b", kArm64)});
  EXPECT_EQ(plan_copy(store, index, {}, wanting({kAmd64, kArm64})).root.digest, index.digest);
}

TEST(Platforms, ATrimmedIndexCannotPreserveDigests) {
  MemoryStore store;
  const auto index = make_index(store, {image(store, "a", kAmd64), image(store, "b", kArm64)});
  CopyOptions options = wanting({kArm64});
  options.preserve_digests = true;
  EXPECT_THROW(plan_copy(store, index, {}, options), Error);
}

TEST(Platforms, MissingOnesAreWarnedOfAndNothingLeftIsAnError) {
  MemoryStore store;
  const auto index = make_index(store, {image(store, "a", kAmd64), image(store, "b", kArm64)});
  const CopyPlan plan = plan_copy(store, index, {}, wanting({kArm64, kS390x}));
  ASSERT_EQ(plan.warnings.size(), 1U);
  EXPECT_NE(plan.warnings[0].find("linux/s390x"), std::string::npos);
  try {
    plan_copy(store, index, {}, wanting({kS390x, arm("v7")}));
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), Errc::not_found);
    EXPECT_STREQ(e.what(),
                 "no image for platform linux/s390x, linux/arm/v7 in the index; it has "
                 "linux/amd64, linux/arm64");
  }
}

TEST(Platforms, TrimsIndexesWithinIndexes) {
  MemoryStore store;
  const auto amd64 = image(store, "a", kAmd64);
  const auto arm64 = image(store, "b", kArm64);
  const auto s390x = image(store, "c", kS390x);
  const auto mixed = make_index(store, {amd64, s390x});
  const auto other = make_index(store, {s390x});
  const auto root = make_index(store, {mixed, other, arm64});
  const CopyPlan plan = plan_copy(store, root, {}, wanting({kAmd64, kArm64}));
  const auto entries = entries_of(plan);
  ASSERT_EQ(entries.size(), 2U);
  EXPECT_TRUE(oci::is_index(entries[0].media_type));
  EXPECT_EQ(entries[1], arm64);
  PickyWriter to({});
  SilentObserver observer;
  const CopyOptions options = wanting({kAmd64, kArm64});
  run_copy(plan, store, to, {}, options, observer, {});
  const oci::Document inner = to.store.document(entries[0]);
  EXPECT_EQ(std::get<oci::Index>(inner.parsed).manifests, std::vector<oci::Descriptor>{amd64});
  EXPECT_FALSE(to.store.contains(s390x));
}

TEST(Platforms, AnIndexThatIsListedAThousandTimesAtEachLevelCostsOne) {
  MemoryStore store;
  oci::Descriptor root = make_index(store, {image(store, "a", kAmd64), image(store, "b", kArm64)});
  for (int level = 0; level < 3; ++level) {
    root = make_index(store, std::vector<oci::Descriptor>(1000, root));
  }
  const CopyPlan plan = plan_copy(store, root, {}, wanting({kAmd64, kS390x}));
  EXPECT_EQ(plan.documents.size(), 5U);
  EXPECT_EQ(entries_of(plan).size(), 1000U);
}

TEST(Platforms, TwinsOfAPlatformStayTogether) {
  MemoryStore store;
  const auto gzip = image(store, "a", kAmd64);
  auto zstd = image(store, "b", kAmd64);
  zstd.annotations = oci::Annotations{{"io.github.containers.compression.zstd", "true"}};
  const auto index = make_index(store, {gzip, image(store, "c", kArm64), zstd});
  EXPECT_EQ(entries_of(plan_copy(store, index, {}, wanting({kAmd64, kS390x}))),
            (std::vector<oci::Descriptor>{gzip, zstd}));
}

TEST(Platforms, TheBestVariantOrEveryOne) {
  MemoryStore store;
  const auto v5 = image(store, "5", arm("v5"));
  const auto v6 = image(store, "6", arm("v6"));
  const auto v7 = image(store, "7", arm("v7"));
  const auto index = make_index(store, {v5, v6, v7, image(store, "a", kAmd64)});
  CopyOptions options = wanting({parse_platform("linux/arm")});
  EXPECT_EQ(entries_of(plan_copy(store, index, {}, options)), std::vector<oci::Descriptor>{v7});
  options.variants = CopyOptions::Variants::every;
  EXPECT_EQ(entries_of(plan_copy(store, index, {}, options)),
            (std::vector<oci::Descriptor>{v5, v6, v7}));
}

TEST(Platforms, AnImageThatIsNoIndexIsCopiedAsItIs) {
  MemoryStore store;
  const auto only = image(store, "a", kAmd64);
  EXPECT_EQ(plan_copy(store, only, {}, wanting({kArm64, kS390x})).root.digest, only.digest);
}

}  // namespace
}  // namespace lade
