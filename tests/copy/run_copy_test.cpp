#include <atomic>

#include <gtest/gtest.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/copy/copy.h"

#include "tests/support/images.h"

namespace lade {
namespace {

using testing_support::MadeImage;
using testing_support::make_image;
using testing_support::make_index;

const oci::Platform kAmd64{.architecture = "amd64", .os = "linux"};

/// A store whose first reads of each blob fail with `error`, in mid-stream.
class FlakyReader final : public Reader {
 public:
  FlakyReader(MemoryStore& store, int failures, Error error)
      : store_(store), failures_(failures), error_(std::move(error)) {}
  std::optional<oci::Descriptor> resolve(const TagOrDigest& reference) override {
    return store_.resolve(reference);
  }
  std::atomic<int> opened = 0;

 protected:
  std::unique_ptr<Source> do_open(const oci::Descriptor& blob) override {
    ++opened;
    if (oci::is_manifest(blob.media_type) || oci::is_index(blob.media_type) || failures_-- <= 0)
      return store_.open(blob);
    return std::make_unique<Breaking>(error_);
  }

 private:
  class Breaking final : public Source {
   public:
    explicit Breaking(Error error) : error_(std::move(error)) {}
    std::size_t read(std::span<std::byte> out) override {
      if (given_) throw Error(error_);
      given_ = true;
      out[0] = std::byte{0};
      return 1;
    }

   private:
    Error error_;
    bool given_ = false;
  };
  MemoryStore& store_;
  std::atomic<int> failures_;
  Error error_;
};

CopyOptions quick() {
  CopyOptions options{.what = CopyOptions::What::all};
  options.retry.sleep = [](std::chrono::milliseconds, const std::stop_token&) { return true; };
  return options;
}

CopyResult copy(Reader& source, MemoryStore& destination, const oci::Descriptor& root,
                const CopyOptions& options, const std::stop_token& stop = {}) {
  SilentObserver observer;
  const CopyPlan plan = plan_copy(source, root, destination.accepts(), options);
  return run_copy(plan, source, destination, {Tag{"copied"}}, options, observer, stop);
}

TEST(RunCopy, MovesEverythingOnceAndTagsTheRoot) {
  MemoryStore source;
  MemoryStore destination;
  const oci::Descriptor index =
      make_index(source, {make_image(source, {"shared", "a"}, kAmd64).manifest,
                          make_image(source, {"shared", "b"}, kAmd64).manifest});
  const CopyResult result = copy(source, destination, index, quick());
  EXPECT_EQ(result.root.digest, index.digest);
  EXPECT_EQ(result.blobs_moved, 5U);
  EXPECT_EQ(destination.resolve(Tag{"copied"})->digest, index.digest);
  EXPECT_EQ(destination.blob_count(), source.blob_count());
  const CopyResult again = copy(source, destination, index, quick());
  EXPECT_EQ(again.blobs_moved, 0U);
  EXPECT_EQ(again.blobs_skipped, 5U);
}

TEST(RunCopy, RecompressedLayersRippleUpward) {
  MemoryStore source;
  MemoryStore destination;
  const std::string content(300'000, 'x');
  const MadeImage image = make_image(source, {content}, kAmd64);
  const oci::Descriptor index = make_index(source, {image.manifest});
  CopyOptions options = quick();
  options.layer_codec = "gzip";
  const CopyResult result = copy(source, destination, index, options);
  EXPECT_NE(result.root.digest, index.digest);
  const oci::Document copied = destination.document(result.root);
  const oci::Document manifest =
      destination.document(std::get<oci::Index>(copied.parsed).manifests.at(0));
  const oci::Descriptor& layer = std::get<oci::Manifest>(manifest.parsed).layers.at(0);
  EXPECT_EQ(layer.media_type, oci::kImageLayerGzip);
  EXPECT_LT(layer.size, content.size());
  const auto plain = decompressed(destination.open(layer));
  EXPECT_EQ(read_all(*plain, 1'000'000, "layer"), content);
  EXPECT_EQ(std::get<oci::Manifest>(manifest.parsed).config.digest, image.config.digest);
}

TEST(RunCopy, RetriesABlobAlone) {
  MemoryStore store;
  const MadeImage image = make_image(store, {"one", "two"}, kAmd64);
  FlakyReader source(store, 2, Error(Errc::unavailable, "connection lost"));
  MemoryStore destination;
  EXPECT_EQ(copy(source, destination, image.manifest, quick()).blobs_moved, 3U);
  EXPECT_EQ(source.opened.load(), 1 + 3 + 2);
}

TEST(RunCopy, DoesNotRetryWhatWasTriedAgainAlready) {
  MemoryStore store;
  const MadeImage image = make_image(store, {"one"}, kAmd64);
  FlakyReader source(store, 1, Error(Errc::unavailable, "connection lost").as_final());
  MemoryStore destination;
  EXPECT_THROW(copy(source, destination, image.manifest, quick()), Error);
}

TEST(RunCopy, DoesNotRetryWhatCannotSucceed) {
  MemoryStore store;
  const MadeImage image = make_image(store, {"one"}, kAmd64);
  FlakyReader source(store, 1, Error(Errc::unauthorized, "401"));
  MemoryStore destination;
  EXPECT_THROW(copy(source, destination, image.manifest, quick()), Error);
  EXPECT_FALSE(destination.resolve(Tag{"copied"}).has_value());
}

TEST(RunCopy, RefusesContentThatDoesNotMatchAndTagsNothing) {
  MemoryStore source;
  const MadeImage image = make_image(source, {"layer"}, kAmd64);
  source.corrupt(image.layers[0].digest, "Layer");
  MemoryStore destination;
  try {
    copy(source, destination, image.manifest, quick());
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), Errc::digest_mismatch);
    EXPECT_NE(std::string(e.what()).find(image.layers[0].digest.str()), std::string::npos);
  }
  EXPECT_FALSE(destination.contains(image.layers[0]));
  EXPECT_FALSE(destination.contains(image.manifest));
  EXPECT_FALSE(destination.resolve(Tag{"copied"}).has_value());
}

TEST(RunCopy, ConvertsBetweenFamiliesAndBack) {
  MemoryStore source;
  MemoryStore as_oci;
  MemoryStore back;
  const MadeImage image =
      make_image(source, {"gz"}, kAmd64, oci::kDockerLayerGzip, oci::kDockerManifest);
  CopyOptions options = quick();
  options.family = oci::Family::oci;
  const CopyResult there = copy(source, as_oci, image.manifest, options);
  EXPECT_EQ(there.root.media_type, oci::kImageManifest);
  options.family = oci::Family::docker;
  const CopyResult again = copy(as_oci, back, there.root, options);
  EXPECT_EQ(again.root.media_type, oci::kDockerManifest);
  EXPECT_EQ(again.root.digest, image.manifest.digest);
}

TEST(RunCopy, AttestationsFollowTheImageThatTheyAreAbout) {
  MemoryStore source;
  MemoryStore destination;
  const MadeImage image = make_image(source, {"plain layer"}, kAmd64);
  oci::Manifest statement{.artifact_type = "application/vnd.docker.attestation.manifest.v1+json",
                          .config = source.put(std::string(oci::kEmptyJson), "{}"),
                          .layers = {source.put("application/vnd.in-toto+json", "{\"s\":1}")},
                          .subject = image.manifest};
  statement.subject->platform.reset();
  const std::string raw = oci::serialise(statement);
  oci::Descriptor attestation = oci::describe(std::string(oci::kImageManifest), raw);
  source.put_manifest(attestation, raw);
  attestation.platform = {.architecture = "unknown", .os = "unknown"};
  attestation.annotations =
      oci::Annotations{{"vnd.docker.reference.type", "attestation-manifest"},
                       {"vnd.docker.reference.digest", image.manifest.digest.str()}};
  const oci::Descriptor index = make_index(source, {attestation, image.manifest});
  CopyOptions options = quick();
  options.layer_codec = "zstd";
  const CopyResult result = copy(source, destination, index, options);
  const auto entries = std::get<oci::Index>(destination.document(result.root).parsed).manifests;
  EXPECT_EQ(entries.at(0).annotation("vnd.docker.reference.digest"), entries.at(1).digest.str());
  const oci::Document moved = destination.document(entries.at(0));
  EXPECT_EQ(std::get<oci::Manifest>(moved.parsed).subject->digest, entries.at(1).digest);
}

TEST(RunCopy, StopsWhenAsked) {
  MemoryStore source;
  MemoryStore destination;
  const MadeImage image = make_image(source, {"layer"}, kAmd64);
  std::stop_source stop;
  stop.request_stop();
  EXPECT_THROW(copy(source, destination, image.manifest, quick(), stop.get_token()), Cancelled);
  EXPECT_FALSE(destination.resolve(Tag{"copied"}).has_value());
}

TEST(RunCopy, SameBytesWhateverTheNumberOfJobsAndThreads) {
  MemoryStore source;
  std::vector<std::string> layers;
  for (int i = 0; i < 8; ++i)
    layers.push_back(std::string(200'000, static_cast<char>('a' + i)) + cat(i));
  const MadeImage image = make_image(source, layers, kAmd64);
  std::optional<Digest> first;
  for (const unsigned jobs : {1U, 2U, 8U}) {
    MemoryStore destination;
    CopyOptions options = quick();
    options.layer_codec = "gzip";
    options.jobs = jobs;
    options.compress.threads = jobs;
    const Digest digest = copy(source, destination, image.manifest, options).root.digest;
    if (!first) first = digest;
    EXPECT_EQ(digest, *first);
  }
}

}  // namespace
}  // namespace lade
