#include <gtest/gtest.h>

#include "libimage/base/error.h"
#include "libimage/copy/copy.h"

#include "tests/copy/writers.h"
#include "tests/support/images.h"

namespace lade {
namespace {

using testing_support::CountingReader;
using testing_support::make_image;
using testing_support::make_index;
using testing_support::PickyWriter;
using testing_support::quick_options;

const oci::Platform kAmd64{.architecture = "amd64", .os = "linux"};

class RunCopies : public testing::Test {
 protected:
  RunCopies() {
    big_ = std::string(3'000'000, 'x');
    for (std::size_t i = 0; i < big_.size(); i += 7) big_[i] = static_cast<char>(i % 251);
    index_ = make_index(store_, {make_image(store_, {big_, "shared"}, kAmd64).manifest,
                                 make_image(store_, {"shared", "other"}, kAmd64).manifest});
  }

  std::vector<CopyOutcome> copy(std::vector<PickyWriter*> writers,
                                const std::stop_token& stop = {}) {
    CopyPlanner planner(reader_, index_, options_);
    std::vector<CopyPlan> plans;
    for (PickyWriter* writer : writers) plans.push_back(planner.plan(writer->accepts()));
    documents_read_ = reader_.opened.exchange(0);
    std::vector<CopyTarget> targets;
    for (std::size_t i = 0; i < writers.size(); ++i) {
      targets.push_back({.plan = &plans[i], .destination = writers[i], .tags = {Tag{"copied"}}});
    }
    SilentObserver observer;
    return run_copies(targets, reader_, options_, observer, stop);
  }

  std::string big_;
  MemoryStore store_;
  CountingReader reader_{store_};
  CopyOptions options_ = quick_options();
  oci::Descriptor index_{.digest = sha256_of("")};
  int documents_read_ = 0;
};

TEST_F(RunCopies, ReadEachBlobAndDocumentOnce) {
  PickyWriter a({});
  PickyWriter b({});
  PickyWriter c({});
  const auto outcomes = copy({&a, &b, &c});
  EXPECT_EQ(documents_read_, 3);
  EXPECT_EQ(reader_.opened.load(), 5);  // three layers, two configs
  for (PickyWriter* writer : {&a, &b, &c}) {
    EXPECT_EQ(writer->store.blob_count(), store_.blob_count());
    EXPECT_EQ(writer->store.resolve(Tag{"copied"})->digest, index_.digest);
  }
  for (const CopyOutcome& outcome : outcomes) EXPECT_EQ(outcome.result->blobs_moved, 5U);
}

TEST_F(RunCopies, EachDestinationGetsWhatItAccepts) {
  PickyWriter plain({});
  PickyWriter gzip({.default_layer_codec = "gzip"});
  PickyWriter docker({.oci = false});
  const auto outcomes = copy({&plain, &gzip, &docker});
  EXPECT_EQ(outcomes[0].result->root.digest, index_.digest);
  EXPECT_NE(outcomes[1].result->root.digest, index_.digest);
  EXPECT_EQ(outcomes[2].result->root.media_type, oci::kDockerManifestList);
  EXPECT_EQ(reader_.opened.load(), 5);
  const auto root = gzip.store.document(outcomes[1].result->root);
  const auto image = gzip.store.document(std::get<oci::Index>(root.parsed).manifests[0]);
  const auto layer = std::get<oci::Manifest>(image.parsed).layers[0];
  const auto content = decompressed(gzip.store.open(layer));
  EXPECT_EQ(read_all(*content, 10'000'000, "layer"), big_);
}

TEST_F(RunCopies, WhatSeveralWantRecompressedFailsForOneAlone) {
  PickyWriter good({.default_layer_codec = "gzip"});
  PickyWriter bad({.default_layer_codec = "gzip"});
  PickyWriter flaky({.default_layer_codec = "gzip"});
  PickyWriter other({.default_layer_codec = "zstd"});
  bad.fail_blobs = [] { throw Error(Errc::denied, "no room"); };
  std::atomic<int> failures = 1;
  flaky.fail_blobs = [&] {
    if (failures-- > 0) throw Error(Errc::unavailable, "connection lost");
  };
  options_.jobs = 1;
  const auto outcomes = copy({&bad, &good, &flaky, &other});
  EXPECT_EQ(outcomes[0].failure->code(), Errc::denied);
  EXPECT_EQ(outcomes[1].result->root, outcomes[2].result->root);
  EXPECT_EQ(good.store.blob_count(), flaky.store.blob_count());
  EXPECT_NE(outcomes[3].result->root.digest, outcomes[1].result->root.digest);
  EXPECT_EQ(reader_.opened.load(), 6);  // five blobs, one of them again
}

TEST_F(RunCopies, ADestinationThatFailsDoesNotStopTheOthers) {
  PickyWriter good({});
  PickyWriter bad({});
  PickyWriter late({});
  bad.fail_blobs = [] { throw Error(Errc::denied, "no room"); };
  late.fail_manifests = [] { throw Error(Errc::denied, "no manifests"); };
  const auto outcomes = copy({&bad, &good, &late});
  ASSERT_TRUE(outcomes[0].failure);
  EXPECT_EQ(outcomes[0].failure->code(), Errc::denied);
  EXPECT_NE(std::string(outcomes[0].failure->what()).find("no room"), std::string::npos);
  ASSERT_TRUE(outcomes[1].result);
  EXPECT_EQ(good.store.blob_count(), store_.blob_count());
  ASSERT_TRUE(outcomes[2].failure);
  EXPECT_FALSE(late.store.resolve(Tag{"copied"}));
}

TEST_F(RunCopies, WhenAllFailTheCopyEnds) {
  PickyWriter a({});
  PickyWriter b({});
  for (PickyWriter* writer : {&a, &b}) {
    writer->fail_blobs = [] { throw Error(Errc::denied, "no room"); };
  }
  for (const CopyOutcome& outcome : copy({&a, &b})) EXPECT_TRUE(outcome.failure);
}

TEST_F(RunCopies, OneDestinationIsTriedAgainAlone) {
  PickyWriter good({});
  PickyWriter flaky({});
  std::atomic<int> failures = 2;
  flaky.fail_blobs = [&] {
    if (failures-- > 0) throw Error(Errc::unavailable, "connection lost");
  };
  options_.jobs = 1;
  const auto outcomes = copy({&good, &flaky});
  EXPECT_TRUE(outcomes[1].result);
  EXPECT_EQ(good.started.load(), 5);
  EXPECT_EQ(flaky.store.blob_count(), store_.blob_count());
}

TEST_F(RunCopies, ALyingSourceFailsAllAndPublishesNothing) {
  for (const PlannedBlob& blob : plan_copy(store_, index_, {}, options_).blobs) {
    if (blob.source.size == big_.size()) {
      big_[big_.size() - 1] ^= 1;
      store_.corrupt(blob.source.digest, big_);
    }
  }
  PickyWriter a({});
  PickyWriter b({.default_layer_codec = "gzip"});
  for (const CopyOutcome& outcome : copy({&a, &b})) {
    ASSERT_TRUE(outcome.failure);
    EXPECT_EQ(outcome.failure->code(), Errc::digest_mismatch);
  }
  EXPECT_FALSE(a.store.resolve(Tag{"copied"}));
  EXPECT_FALSE(b.store.resolve(Tag{"copied"}));
}

TEST_F(RunCopies, StopWhenAsked) {
  std::stop_source stop;
  PickyWriter a({});
  PickyWriter b({});
  a.fail_blobs = [&] { stop.request_stop(); };
  EXPECT_THROW(copy({&a, &b}, stop.get_token()), Cancelled);
}

TEST_F(RunCopies, ADocumentThatIsThereAnswersForItsBlobs) {
  PickyWriter registry({.documents_imply_blobs = true});
  copy({&registry});
  registry.asked = 0;
  const auto again = copy({&registry});
  EXPECT_EQ(registry.asked.load(), 3);  // the documents
  EXPECT_EQ(again[0].result->blobs_skipped, 5U);
  EXPECT_EQ(reader_.opened.load(), 0);
}

TEST_F(RunCopies, OnlyWhatMissingDocumentsNeedIsAskedFor) {
  PickyWriter registry({.documents_imply_blobs = true});
  const auto first = std::get<oci::Index>(store_.document(index_).parsed).manifests.at(0);
  SilentObserver observer;
  const CopyPlan plan = plan_copy(store_, first, registry.accepts(), options_);
  run_copy(plan, store_, registry, {}, options_, observer, {});
  registry.asked = 0;
  const auto outcomes = copy({&registry});
  EXPECT_EQ(registry.asked.load(), 3 + 2);  // documents; the other image's own layer and config
  EXPECT_EQ(outcomes[0].result->blobs_moved, 2U);
  EXPECT_EQ(outcomes[0].result->blobs_skipped, 3U);
}

TEST(ForecastCopy, TellsWhatWouldHappenToEachPiece) {
  MemoryStore store;
  const auto image = make_image(store, {"one", "two"}, kAmd64);
  const auto index = make_index(store, {image.manifest});
  CountingReader reader(store);
  const CopyOptions options = quick_options();
  PickyWriter to({});
  const CopyPlan plan = plan_copy(reader, index, to.accepts(), options);
  CopyForecast forecast = forecast_copy(plan, reader, to, options, {});
  const std::uint64_t documents = image.manifest.size + index.size;
  EXPECT_EQ(forecast.bytes_to_move, 6 + image.config.size + documents);
  to.store.put(image.layers[0].media_type, "one");
  to.mounts = true;
  forecast = forecast_copy(plan, reader, to, options, {});
  EXPECT_EQ(forecast.bytes_existing, 3U);
  EXPECT_EQ(forecast.bytes_to_mount, 3 + image.config.size);
  EXPECT_EQ(forecast.bytes_to_move, documents);
  EXPECT_EQ(to.started.load(), 0);
  EXPECT_EQ(to.store.blob_count(), 1U);
  const CopyPlan changed = plan_copy(reader, index, {.default_layer_codec = "gzip"}, options);
  forecast = forecast_copy(changed, reader, to, options, {});
  EXPECT_EQ(forecast.blobs[1].fate, CopyForecast::Fate::recompress);
  EXPECT_EQ(forecast.documents[0].fate, CopyForecast::Fate::recompress);
}

}  // namespace
}  // namespace lade
