#include <algorithm>

#include <gtest/gtest.h>

#include "libimage/base/error.h"
#include "libimage/copy/copy.h"

#include "tests/support/images.h"

namespace lade {
namespace {

using testing_support::MadeImage;
using testing_support::make_image;
using testing_support::make_index;

const oci::Platform kAmd64{.architecture = "amd64", .os = "linux"};
const oci::Platform kArm64{.architecture = "arm64", .os = "linux"};

template <typename Body>
Errc code_of(const Body& body) {
  try {
    body();
  } catch (const Error& e) {
    return e.code();
  }
  ADD_FAILURE() << "nothing was thrown";
  return Errc::internal;
}

TEST(PlanCopy, TakesBlobsOnceAndDocumentsChildrenFirst) {
  MemoryStore store;
  const MadeImage a = make_image(store, {"shared", "a"}, kAmd64);
  const MadeImage b = make_image(store, {"shared", "b"}, kArm64);
  const oci::Descriptor index = make_index(store, {a.manifest, b.manifest});
  const CopyPlan plan = plan_copy(store, index, {}, {.what = CopyOptions::What::all});
  ASSERT_EQ(plan.documents.size(), 3U);
  EXPECT_EQ(plan.documents.back().descriptor.digest, index.digest);
  EXPECT_EQ(plan.blobs.size(), 5U);  // three layers, two configs
  EXPECT_FALSE(plan.rewrites_documents);
}

TEST(PlanCopy, NarrowsAnIndexToThePlatform) {
  MemoryStore store;
  const MadeImage a = make_image(store, {"a"}, kAmd64);
  const MadeImage b = make_image(store, {"b"}, kArm64);
  const oci::Descriptor inner = make_index(store, {a.manifest, b.manifest});
  const oci::Descriptor outer = make_index(store, {inner});
  const CopyPlan plan = plan_copy(store, outer, {}, {.platform = kArm64});
  EXPECT_EQ(plan.root.digest, b.manifest.digest);
  EXPECT_EQ(plan.documents.size(), 1U);
}

TEST(PlanCopy, NamesThePlatformsThereAreWhenNoneFits) {
  MemoryStore store;
  const oci::Descriptor index = make_index(store, {make_image(store, {"a"}, kAmd64).manifest,
                                                   make_image(store, {"b"}, kArm64).manifest});
  try {
    plan_copy(store, index, {}, {.platform = {.architecture = "s390x", .os = "linux"}});
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), Errc::not_found);
    EXPECT_NE(std::string(e.what()).find("linux/amd64, linux/arm64"), std::string::npos)
        << e.what();
  }
}

TEST(PlanCopy, IndexOnlyTakesTheIndexDocumentAlone) {
  MemoryStore store;
  const oci::Descriptor index = make_index(store, {make_image(store, {"a"}, kAmd64).manifest});
  const CopyPlan plan = plan_copy(store, index, {}, {.what = CopyOptions::What::index_only});
  EXPECT_EQ(plan.documents.size(), 1U);
  EXPECT_TRUE(plan.blobs.empty());
}

TEST(PlanCopy, CompressesPlainLayersForAStoreThatWantsIt) {
  MemoryStore store;
  const MadeImage image = make_image(store, {"plain"}, kAmd64);
  const CopyPlan plan = plan_copy(store, image.manifest, {.default_layer_codec = "gzip"}, {});
  const auto layer =
      std::ranges::find(plan.blobs, PlannedBlob::Action::recompress, &PlannedBlob::action);
  ASSERT_NE(layer, plan.blobs.end());
  EXPECT_EQ(layer->codec, "gzip");
  EXPECT_TRUE(plan.rewrites_documents);
}

TEST(PlanCopy, LeavesCompressedLayersAloneUnlessAsked) {
  MemoryStore store;
  const MadeImage image = make_image(store, {"gz"}, kAmd64, oci::kImageLayerGzip);
  EXPECT_FALSE(
      plan_copy(store, image.manifest, {.default_layer_codec = "gzip"}, {}).rewrites_documents);
  EXPECT_TRUE(plan_copy(store, image.manifest, {}, {.layer_codec = "zstd"}).rewrites_documents);
  EXPECT_FALSE(plan_copy(store, image.manifest, {}, {.layer_codec = "gzip"}).rewrites_documents);
  EXPECT_TRUE(
      plan_copy(store, image.manifest, {}, {.layer_codec = "gzip", .force_recompress = true})
          .rewrites_documents);
}

TEST(PlanCopy, PreservingDigestsFailsWhereItCannotHold) {
  MemoryStore store;
  const MadeImage image = make_image(store, {"gz"}, kAmd64, oci::kImageLayerGzip);
  EXPECT_EQ(code_of([&] {
              plan_copy(store, image.manifest, {},
                        {.layer_codec = "zstd", .preserve_digests = true});
            }),
            Errc::invalid_argument);
  const MadeImage plain = make_image(store, {"plain"}, kAmd64);
  EXPECT_FALSE(
      plan_copy(store, plain.manifest, {.default_layer_codec = "gzip"}, {.preserve_digests = true})
          .rewrites_documents);
}

TEST(PlanCopy, ConvertsToTheFamilyThatTheDestinationHolds) {
  MemoryStore store;
  const MadeImage image =
      make_image(store, {"gz"}, kAmd64, oci::kDockerLayerGzip, oci::kDockerManifest);
  const CopyPlan plan = plan_copy(store, image.manifest, {.docker = false}, {});
  EXPECT_EQ(plan.convert_to, oci::Family::oci);
  EXPECT_TRUE(plan.rewrites_documents);
  EXPECT_EQ(code_of([&] {
              plan_copy(store, image.manifest, {.docker = false}, {.family = oci::Family::docker});
            }),
            Errc::unsupported);
}

TEST(PlanCopy, RefusesAnIndexWhereOnlyOneImageFits) {
  MemoryStore store;
  const oci::Descriptor index = make_index(store, {make_image(store, {"a"}, kAmd64).manifest});
  EXPECT_EQ(code_of([&] {
              plan_copy(store, index, {.indexes = false}, {.what = CopyOptions::What::all});
            }),
            Errc::unsupported);
}

TEST(PlanCopy, PassesUnknownTypesThrough) {
  MemoryStore store;
  const oci::Descriptor odd = store.put("application/vnd.example.thing", "thing");
  const oci::Descriptor index = make_index(store, {odd, make_image(store, {"a"}, kAmd64).manifest});
  const CopyPlan plan = plan_copy(store, index, {}, {.what = CopyOptions::What::all});
  EXPECT_TRUE(std::ranges::any_of(
      plan.blobs, [&](const PlannedBlob& blob) { return blob.source.digest == odd.digest; }));
}

TEST(PlanCopy, RefusesEncryptedLayersWhereTheyWouldHaveToBeRead) {
  MemoryStore store;
  const MadeImage image = make_image(store, {"secret"}, kAmd64,
                                     "application/vnd.oci.image.layer.v1.tar+gzip+encrypted");
  EXPECT_FALSE(plan_copy(store, image.manifest, {}, {.layer_codec = "zstd"}).rewrites_documents);
  EXPECT_EQ(code_of([&] { plan_copy(store, image.manifest, {.compressed_layers = false}, {}); }),
            Errc::unsupported);
}

TEST(PlanCopy, LimitsHowManyDocumentsThereAre) {
  MemoryStore store;
  const oci::Descriptor index = make_index(store, {make_image(store, {"a"}, kAmd64).manifest,
                                                   make_image(store, {"b"}, kArm64).manifest});
  CopyOptions options{.what = CopyOptions::What::all, .max_documents = 3};
  EXPECT_EQ(plan_copy(store, index, {}, options).documents.size(), 3U);
  options.max_documents = 2;
  EXPECT_EQ(code_of([&] { plan_copy(store, index, {}, options); }), Errc::limit_exceeded);
  options.max_documents = 3;
  options.max_document_bytes = index.size;
  EXPECT_EQ(code_of([&] { plan_copy(store, index, {}, options); }), Errc::limit_exceeded);
}

TEST(PlanCopy, LimitsHowDeepIndexesNest) {
  MemoryStore store;
  oci::Descriptor root = make_image(store, {"a"}, kAmd64).manifest;
  for (int i = 0; i < 7; ++i) root = make_index(store, {root});
  EXPECT_EQ(code_of([&] { plan_copy(store, root, {}, {.what = CopyOptions::What::all}); }),
            Errc::limit_exceeded);
  EXPECT_EQ(code_of([&] { plan_copy(store, root, {}, {.platform = kAmd64}); }),
            Errc::limit_exceeded);
}

}  // namespace
}  // namespace lade
