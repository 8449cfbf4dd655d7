#include "libimage/copy/attached.h"

#include <gtest/gtest.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/copy/copy.h"

#include "tests/copy/writers.h"
#include "tests/support/images.h"

namespace lade {
namespace {

using testing_support::CountingReader;
using testing_support::make_image;
using testing_support::make_index;
using testing_support::make_referrer;
using testing_support::PickyWriter;
using testing_support::quick_options;
using Attached = CopyOptions::Attached;

const oci::Platform kAmd64{.architecture = "amd64", .os = "linux"};

class AttachedTest : public testing::Test {
 protected:
  AttachedTest() {
    options_.attached = Attached::where_possible;
    image_ = make_image(source_, {"layer"}, kAmd64, oci::kImageLayerGzip).manifest;
    index_ = make_index(source_, {image_});
  }
  CopyPlan plan(Reader& reader, const Writer::Accepts& accepts = {}) {
    return plan_copy(reader, index_, accepts, options_);
  }
  void tag_as(const oci::Descriptor& document, std::string_view suffix) {
    source_.tag(Tag{cat("sha256-", image_.digest.encoded(), suffix)}, document);
  }

  MemoryStore source_;
  CopyOptions options_ = quick_options();
  oci::Descriptor image_{.digest = sha256_of("")};
  oci::Descriptor index_{.digest = sha256_of("")};
};

TEST_F(AttachedTest, ReferrersOfRootAndChildrenComeAlongInTurn) {
  const auto of_index = make_referrer(source_, index_, "of the index");
  const auto of_image = make_referrer(source_, image_, "of the image");
  const auto of_referrer = make_referrer(source_, of_image, "of a referrer");
  const CopyPlan planned = plan(source_);
  EXPECT_EQ(planned.referrers.size(), 3U);
  EXPECT_EQ(planned.referrers[0].artifact_type, "application/vnd.example.sbom");
  PickyWriter to({});
  SilentObserver observer;
  run_copy(planned, source_, to, {Tag{"a"}}, options_, observer, {});
  for (const auto& referrer : {of_index, of_image, of_referrer}) {
    EXPECT_TRUE(to.store.contains(referrer));
  }
  EXPECT_EQ(to.listed.size(), 3U);
  EXPECT_EQ(to.store.referrers(image_.digest)->size(), 1U);
}

TEST_F(AttachedTest, NothingAttachedIsLookedForUnlessAskedFor) {
  make_referrer(source_, index_, "of the index");
  options_.attached = Attached::left_behind;
  CountingReader reader(source_);
  reader.lists = [](const Digest&) -> std::optional<std::vector<oci::Descriptor>> {
    throw Error(Errc::internal, "asked");
  };
  EXPECT_TRUE(plan(reader).referrers.empty());
}

TEST_F(AttachedTest, AListsLiesAreWarnedOfAndNotCopied) {
  const auto of_other = make_referrer(
      source_, make_image(source_, {"other"}, kAmd64, oci::kImageLayerGzip).manifest, "x");
  oci::Descriptor missing{
      .media_type = std::string(oci::kImageManifest), .digest = sha256_of("missing"), .size = 7};
  oci::Descriptor odd{.media_type = "text/plain", .digest = sha256_of("odd"), .size = 3};
  CountingReader reader(source_);
  reader.lists = [&](const Digest& subject) -> std::optional<std::vector<oci::Descriptor>> {
    if (subject != image_.digest) return std::vector<oci::Descriptor>{};
    return std::vector<oci::Descriptor>{of_other, missing, odd, image_, index_};
  };
  const CopyPlan planned = plan(reader);
  EXPECT_TRUE(planned.referrers.empty());
  EXPECT_EQ(planned.documents.size(), 2U);
  EXPECT_EQ(planned.warnings.size(), 3U);
}

TEST_F(AttachedTest, ReferrersWithoutEndAreRefused) {
  CountingReader reader(source_);
  reader.lists = [&](const Digest& subject) -> std::optional<std::vector<oci::Descriptor>> {
    if (subject == image_.digest) return std::vector<oci::Descriptor>{};
    const auto document = source_.resolve(subject);
    return std::vector<oci::Descriptor>{make_referrer(source_, *document, subject.str())};
  };
  EXPECT_THROW(plan(reader), Error);
  options_.max_documents = 5;
  EXPECT_THROW(plan(reader), Error);
}

TEST_F(AttachedTest, CosignsTagsComeAlong) {
  const auto signature =
      make_image(source_, {"signature"}, kAmd64, "application/vnd.dev.cosign.simplesigning.v1+json")
          .manifest;
  tag_as(signature, ".sig");
  tag_as(signature, ".att");
  tag_as(signature, ".other");
  const CopyPlan planned = plan(source_);
  ASSERT_EQ(planned.tags.size(), 2U);
  PickyWriter to({});
  SilentObserver observer;
  run_copy(planned, source_, to, {Tag{"a"}}, options_, observer, {});
  EXPECT_EQ(to.store.tags()->size(), 3U);
  EXPECT_EQ(to.store.resolve(planned.tags[0].tag)->digest, signature.digest);
}

TEST_F(AttachedTest, ManyDocumentsUseTheListOfTags) {
  const auto signature = make_image(source_, {"s"}, kAmd64, "text/plain").manifest;
  tag_as(signature, ".sig");
  std::vector<oci::Descriptor> images = {image_};
  for (int i = 0; i < 12; ++i) {
    images.push_back(make_image(source_, {cat("layer", i)}, kAmd64, oci::kImageLayerGzip).manifest);
  }
  index_ = make_index(source_, images);
  EXPECT_EQ(plan(source_).tags.size(), 1U);
}

TEST_F(AttachedTest, WhatIsAttachedToChangingImagesStaysBehindWithAWarning) {
  make_referrer(source_, image_, "of the image");
  tag_as(make_image(source_, {"s"}, kAmd64, "text/plain").manifest, ".sig");
  options_.layer_codec = "zstd";
  const CopyPlan planned = plan(source_);
  EXPECT_TRUE(planned.referrers.empty());
  EXPECT_TRUE(planned.tags.empty());
  EXPECT_EQ(planned.warnings.size(), 2U);
}

TEST_F(AttachedTest, AttachedArtifactsKeepEveryByte) {
  // A layer of a codec that the destination would otherwise change.
  oci::Manifest manifest{.config = source_.put(std::string(oci::kEmptyJson), "{}"),
                         .layers = {source_.put(std::string(oci::kImageLayer), "tar")},
                         .subject = image_};
  manifest.subject->platform.reset();
  const auto referrer = source_.put(std::string(oci::kImageManifest), oci::serialise(manifest));
  PickyWriter to({.default_layer_codec = "gzip"});
  SilentObserver observer;
  const CopyPlan planned = plan(source_, to.accepts());
  EXPECT_FALSE(planned.rewrites_documents);
  run_copy(planned, source_, to, {}, options_, observer, {});
  EXPECT_TRUE(to.store.contains(referrer));
}

TEST_F(AttachedTest, WhatIsSignedIsNeitherTrimmedNorConverted) {
  const auto other =
      make_image(source_, {"b"}, {.architecture = "arm64", .os = "linux"}, oci::kImageLayerGzip);
  index_ = make_index(source_, {image_, other.manifest});
  CountingReader reader(source_);
  reader.kept_signatures[index_.digest] = {"signature"};
  const Writer::Accepts accepts{.signatures = true};
  EXPECT_EQ(plan(reader, accepts).signatures.size(), 1U);
  EXPECT_THROW(plan(reader), Error);
  options_.what = CopyOptions::What::platforms;
  options_.platforms = {kAmd64};
  EXPECT_THROW(plan(reader, accepts), Error);
  options_.other_entries = CopyOptions::OtherEntries::kept;
  EXPECT_EQ(plan(reader, accepts).signatures.size(), 1U);
  options_.layer_codec = "zstd";
  EXPECT_THROW(plan(reader, accepts), Error);
  options_.signatures = CopyOptions::Signatures::remove_of_indexes;
  EXPECT_TRUE(plan(reader).signatures.empty());
  reader.kept_signatures[image_.digest] = {"signature"};
  options_.layer_codec.clear();
  EXPECT_EQ(plan(reader, accepts).signatures.size(), 1U);
  options_.signatures = CopyOptions::Signatures::remove;
  EXPECT_TRUE(plan(reader).signatures.empty());
}

TEST_F(AttachedTest, PlacesWithoutRoomAreLeftInPeaceUnlessReferrersAreRequired) {
  make_referrer(source_, image_, "of the image");
  EXPECT_TRUE(plan(source_, {.referrers = false}).referrers.empty());
  options_.attached = Attached::required;
  EXPECT_THROW(plan(source_, {.referrers = false}), Error);
  CountingReader reader(source_);
  reader.lists = [](const Digest&) { return std::nullopt; };
  EXPECT_THROW(plan(reader), Error);
  options_.attached = Attached::where_possible;
  EXPECT_TRUE(plan(reader).referrers.empty());
}

}  // namespace
}  // namespace lade
