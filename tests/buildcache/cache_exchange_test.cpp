#include "libimage/buildcache/cache_exchange.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "libimage/base/base64.h"
#include "libimage/base/error.h"
#include "libimage/buildcache/cache_document_form.h"

#include "fixture.h"

namespace lade::buildcache {
namespace {

/// A reader that counts what is opened and may lose things.
class CountingReader final : public Reader {
 public:
  explicit CountingReader(MemoryStore& store) : store_(store) {}
  std::optional<oci::Descriptor> resolve(const TagOrDigest& reference) override {
    return store_.resolve(reference);
  }
  std::vector<Digest> opened;
  std::optional<Digest> missing;

 protected:
  std::unique_ptr<Source> do_open(const oci::Descriptor& blob) override {
    opened.push_back(blob.digest);
    if (blob.digest == missing) throw Error(Errc::not_found, "404");
    return store_.open_at(blob, 0);
  }

 private:
  MemoryStore& store_;
};

class CacheExchangeTest : public ::testing::Test {
 protected:
  /// A cache of two steps on `base`: "first" made a layer, "second" none; "mark" is a mark.
  void write_cache() {
    CacheExchange exchange(store_, {.created_at = "2026-01-01T00:00:00Z"}, warnings_);
    const RootFs layers = tree_of(store_, {base_.layer, first_.layer});
    StepDone step = done("first", layers);
    step.marks = {key_of("mark")};
    step.aliases = {key_of("alias")};
    exchange.record(step);
    exchange.record(done("second", layers));
    exchange.add_result(layers);
    put(exchange.collected(CacheMode::min));
  }

  void put(const CacheSet& set) {
    for (const MadeLayer* layer : {&base_, &first_, &other_}) remote_.put("", layer->tar);
    const CacheDocuments documents = documents_of(set, {});
    remote_.put("", *documents.config.data);
    remote_.put_manifest(documents.manifest.descriptor, documents.manifest.raw);
    remote_.tag(Tag{"cache"}, documents.manifest.descriptor);
  }

  ExchangeOptions from_remote() {
    ExchangeOptions options{.created_at = "2026-02-02T00:00:00Z"};
    options.sources.push_back({.name = "remote", .open = [this] {
                                 ++opens_;
                                 const auto root = reader_->resolve(Tag{"cache"});
                                 if (!root) throw Error(Errc::not_found, "no tag");
                                 return OpenedCache{.reader = reader_, .root = *root};
                               }});
    return options;
  }

  TempDir room_{temp_root(), "lade-cache-"};
  MadeLayer base_ = made_layer("base");
  MadeLayer first_ = made_layer("first");
  MadeLayer other_ = made_layer("other");
  MemoryStore remote_;
  std::shared_ptr<CountingReader> reader_ = std::make_shared<CountingReader>(remote_);
  LocalStore store_{room_.path() + "/store"};
  Warnings warnings_;
  int opens_ = 0;
};

TEST_F(CacheExchangeTest, FindsStepsWithoutFetchingLayers) {
  write_cache();
  CacheExchange exchange(store_, from_remote(), warnings_);
  EXPECT_EQ(opens_, 0);  // nobody asked yet
  const auto found = exchange.find(key_of("first"), 1);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->layer->digest, first_.layer.blob.digest);
  EXPECT_EQ(found->diff_id, first_.layer.diff_id);
  EXPECT_EQ(reader_->opened.size(), 2U);  // the manifest and its config
  EXPECT_FALSE(store_.images().contains(*found->layer));
  store_.require(*found->layer);
  store_.require(*found->layer);
  EXPECT_TRUE(store_.images().contains(*found->layer));
  EXPECT_EQ(reader_->opened.size(), 3U);
  EXPECT_EQ(opens_, 1);
  EXPECT_EQ(warnings_.text(), "");
}

TEST_F(CacheExchangeTest, KnowsStepsThatMadeNoLayer) {
  write_cache();
  CacheExchange exchange(store_, from_remote(), warnings_);
  const auto found = exchange.find(key_of("second"), 2);
  ASSERT_TRUE(found);
  EXPECT_FALSE(found->layer);
  EXPECT_FALSE(exchange.find(key_of("second"), 5));  // not a result of a tree of five layers
  EXPECT_FALSE(exchange.find(key_of("third"), 2));
}

TEST_F(CacheExchangeTest, KnowsMarksAndAliases) {
  write_cache();
  CacheExchange exchange(store_, from_remote(), warnings_);
  EXPECT_TRUE(exchange.is_marked(key_of("mark")));
  EXPECT_FALSE(exchange.is_marked(key_of("other mark")));
  EXPECT_TRUE(exchange.find(key_of("alias"), 1));
}

TEST_F(CacheExchangeTest, PassesOnWhatItFoundWithItsDate) {
  write_cache();
  CacheExchange exchange(store_, from_remote(), warnings_);
  ASSERT_TRUE(exchange.find(key_of("alias"), 1));
  const RootFs layers = tree_of(store_, {base_.layer, first_.layer});
  exchange.record(done("alias", layers));
  const CacheSet set = exchange.collected(CacheMode::max);
  std::set<Digest> digests;
  for (const auto& record : set.document.records) {
    digests.insert(record.digest);
    EXPECT_EQ(record.results.at(0).created_at, "2026-01-01T00:00:00Z");
  }
  EXPECT_TRUE(digests.contains(sha256_of("first")));  // the same result by its other name
  EXPECT_TRUE(digests.contains(sha256_of("alias")));
}

TEST_F(CacheExchangeTest, GivesMinOnlyTheLayersOfTheResult) {
  CacheExchange exchange(store_, {.created_at = "2026-01-01T00:00:00Z"}, warnings_);
  const RootFs builder = tree_of(store_, {base_.layer, other_.layer});
  const RootFs result = tree_of(store_, {base_.layer, first_.layer});
  exchange.record(done("builder", builder));
  exchange.record(done("result", result));
  exchange.add_result(result);
  EXPECT_EQ(exchange.collected(CacheMode::min).document.records.size(), 1U);
  EXPECT_EQ(exchange.collected(CacheMode::min).blobs.size(), 2U);
  EXPECT_EQ(exchange.collected(CacheMode::max).document.records.size(), 2U);
  EXPECT_EQ(exchange.collected(CacheMode::max).blobs.size(), 3U);
}

TEST_F(CacheExchangeTest, WritesAnInlineCacheThatIsReadFromTheImage) {
  CacheExchange writer(store_, {.writes_inline = true, .created_at = "2026-01-01T00:00:00Z"},
                       warnings_);
  const RootFs layers = tree_of(store_, {base_.layer, first_.layer});
  writer.record(done("first", layers));
  const RootFs elsewhere = tree_of(store_, {other_.layer});
  writer.record(done("elsewhere", elsewhere));
  oci::ImageConfig config;
  config.architecture = "amd64";
  config.os = "linux";
  config.unknown["moby.buildkit.cache.v0"] = writer.inline_cache(layers);
  oci::Manifest manifest{.config = oci::describe("", "")};
  for (const MadeLayer* layer : {&base_, &first_}) {
    manifest.layers.push_back(remote_.put(std::string(oci::kImageLayer), layer->tar));
    config.diff_ids.push_back(layer->layer.diff_id);
  }
  manifest.config = remote_.put(std::string(oci::kImageConfig), oci::serialise(config));
  const std::string raw = oci::serialise(manifest);
  const oci::Descriptor image = oci::describe(std::string(oci::kImageManifest), raw);
  remote_.put_manifest(image, raw);
  remote_.tag(Tag{"cache"}, image);

  CacheExchange reader(store_, from_remote(), warnings_);
  const auto found = reader.find(key_of("first"), 1);
  ASSERT_TRUE(found) << warnings_.text();
  EXPECT_EQ(found->layer->digest, first_.layer.blob.digest);
  EXPECT_FALSE(reader.find(key_of("elsewhere"), 0));  // not a layer of this image
}

TEST_F(CacheExchangeTest, WritesNoInlineCacheUnlessAsked) {
  CacheExchange exchange(store_, {}, warnings_);
  EXPECT_EQ(exchange.inline_cache(tree_of(store_, {base_.layer})), "");
}

TEST_F(CacheExchangeTest, ReadsBuildKitsRecordsWithoutHittingThem) {
  put_fixture(remote_, "manifest.json");
  remote_.tag(Tag{"cache"}, *remote_.resolve(Tag{"latest"}));
  CacheExchange exchange(store_, from_remote(), warnings_);
  EXPECT_FALSE(exchange.find(key_of("RUN make"), 2));  // its inputs are part of what it is
  EXPECT_TRUE(exchange.find(key_of("chain of debian"), 0));
  EXPECT_EQ(warnings_.text(), "");
}

TEST_F(CacheExchangeTest, WarnsOfSourcesThatCannotBeRead) {
  CacheExchange missing(store_, from_remote(), warnings_);
  EXPECT_FALSE(missing.find(key_of("first"), 1));
  EXPECT_FALSE(missing.find(key_of("second"), 1));
  EXPECT_EQ(opens_, 1);
  EXPECT_EQ(warnings_.text(), "cache from remote is not used: no tag\n");
}

TEST_F(CacheExchangeTest, AsksTheSourcesInOrder) {
  write_cache();
  ExchangeOptions options = from_remote();
  options.sources.insert(options.sources.begin(), {.name = "broken", .open = []() -> OpenedCache {
                                                     throw Error(Errc::unauthorized, "401");
                                                   }});
  CacheExchange exchange(store_, std::move(options), warnings_);
  EXPECT_TRUE(exchange.find(key_of("first"), 1));
  EXPECT_EQ(warnings_.text(), "cache from broken is not used: 401\n");
}

TEST_F(CacheExchangeTest, DoesNotUseWhatIsTooOld) {
  write_cache();
  ExchangeOptions options = from_remote();
  options.not_before = parse_rfc3339("2026-01-01T00:00:01Z");
  CacheExchange late(store_, std::move(options), warnings_);
  EXPECT_FALSE(late.find(key_of("first"), 1));
  options = from_remote();
  options.not_before = parse_rfc3339("2026-01-01T00:00:00Z");
  CacheExchange early(store_, std::move(options), warnings_);
  EXPECT_TRUE(early.find(key_of("first"), 1));
}

TEST_F(CacheExchangeTest, GivesUpASourceThatLostALayer) {
  write_cache();
  reader_->missing = first_.layer.blob.digest;
  CacheExchange exchange(store_, from_remote(), warnings_);
  const auto found = exchange.find(key_of("first"), 1);
  ASSERT_TRUE(found);
  store_.put_step(*found);
  EXPECT_FALSE(exchange.lost_layers());  // nothing was lost yet
  EXPECT_THROW(store_.require(*found->layer), Error);
  EXPECT_TRUE(exchange.lost_layers());
  EXPECT_FALSE(exchange.find(key_of("first"), 1));
  EXPECT_FALSE(exchange.lost_layers());
  EXPECT_NE(warnings_.text().find("could not be had"), std::string::npos);
}

TEST_F(CacheExchangeTest, ForgetsStepsWhoseLayerIsNotWhatTheCacheSaid) {
  write_cache();
  CacheExchange exchange(store_, from_remote(), warnings_);
  const auto found = exchange.find(key_of("first"), 1);
  store_.put_step(*found);
  store_.require(*found->layer);
  ASSERT_TRUE(store_.step(key_of("first")));
  store_.break_promise(found->layer->digest);  // as when its diff ID is another
  EXPECT_TRUE(exchange.lost_layers());
  EXPECT_FALSE(store_.step(key_of("first")));
}

TEST_F(CacheExchangeTest, OpensLayoutsByNameDigestOrAlone) {
  const std::string path = room_.path() + "/layout";
  Digest digest = sha256_of("");
  {
    LayoutStore layout(path, {.create = true});
    const testing::SampleImage image = testing::sample_image("x", oci::Family::oci);
    testing::write_image(layout, image);
    layout.tag(Tag{"mine"}, image.descriptor);
    digest = image.descriptor.digest;
  }
  const CacheFrom any{.type = CacheType::local, .place = path};
  EXPECT_EQ(open_local_cache(any).root.digest, digest);
  CacheFrom named = any;
  named.tag = "mine";
  EXPECT_EQ(open_local_cache(named).root.digest, digest);
  named.tag = "yours";
  EXPECT_THROW(open_local_cache(named), Error);
  CacheFrom exact = any;
  exact.digest = digest.str();
  EXPECT_EQ(open_local_cache(exact).root.digest, digest);
  EXPECT_THROW(open_local_cache({.type = CacheType::local, .place = path + "-absent"}), Error);
}

}  // namespace
}  // namespace lade::buildcache
