// What a build cache asks of a registry, request by request.
#include <map>
#include <utility>

#include <gtest/gtest.h>

#include "libimage/buildcache/cache_export.h"
#include "libimage/transports/transports.h"

#include "tests/support/fake_registry.h"

#include "fixture.h"

namespace lade::buildcache {
namespace {

class CacheRegistryTest : public ::testing::Test {
 protected:
  CacheRegistryTest() {
    for (const MadeLayer* layer : {&base_, &top_})
      testing::put_blob(store_.images(), layer->layer.blob.media_type, layer->tar);
  }

  ImageName name(const std::string& repository) {
    return parse_image_name(cat("docker://", registry_.name(), "/", repository, ":cache"));
  }

  /// Exports one step on `base_` to `repository`.
  void write(LocalStore& store, const std::string& repository) {
    CacheExchange exchange(store, {.created_at = "2026-01-01T00:00:00Z"}, warnings_);
    const RootFs root = tree_of(store, {base_.layer, top_.layer});
    exchange.record(done("step", root));
    TagPlace place(open_reader(name(repository), session_).reader,
                   open_writer(name(repository), session_).writer, Tag{"cache"},
                   [](std::chrono::milliseconds) {});
    export_cache(exchange.collected(CacheMode::max), store, place, {}, warnings_, {});
  }

  ExchangeOptions from(const std::string& repository) {
    ExchangeOptions options;
    options.sources.push_back({.name = repository, .open = [this, repository] {
                                 OpenedReader opened = open_reader(name(repository), session_);
                                 auto root = opened.reader->resolve(opened.reference);
                                 return OpenedCache{.reader = std::move(opened.reader),
                                                    .root = root.value()};
                               }});
    return options;
  }

  std::size_t requests(const std::string& method, const std::string& part) {
    const std::size_t now = registry_.count(method, part);
    return now - std::exchange(counted_[method + part], now);
  }

  test::FakeRegistry registry_;
  Session session_{[] {
    SessionOptions options;
    options.tls_verify = SessionOptions::TlsVerify::no;
    return options;
  }()};
  TempDir room_{temp_root(), "lade-cache-"};
  MadeLayer base_ = made_layer("base");
  MadeLayer top_ = made_layer("top");
  LocalStore store_{room_.path() + "/store"};
  LocalStore fresh_{room_.path() + "/fresh"};
  Warnings warnings_;
  std::map<std::string, std::size_t> counted_;
};

TEST_F(CacheRegistryTest, AHitReadsDocumentsAndNoLayer) {
  write(store_, "app");
  (void)requests("GET", "/blobs/");
  CacheExchange exchange(fresh_, from("app"), warnings_);
  const auto found = exchange.find(key_of("step"), 1);
  ASSERT_TRUE(found) << warnings_.text();
  EXPECT_EQ(requests("GET", "/blobs/"), 1U);  // the records
  fresh_.require(*found->layer);
  EXPECT_EQ(requests("GET", "/blobs/"), 1U);
  fresh_.require(*found->layer);
  EXPECT_EQ(requests("GET", "/blobs/"), 0U);
}

TEST_F(CacheRegistryTest, WritingTheSameAgainUploadsNothing) {
  write(store_, "app");
  (void)requests("POST", "/uploads/");
  (void)requests("PUT", "/");
  write(store_, "app");
  EXPECT_EQ(requests("POST", "/uploads/"), 0U);
  EXPECT_EQ(requests("PUT", "/"), 0U);
}

TEST_F(CacheRegistryTest, LayersThatWereOnlyFoundAreMountedElsewhere) {
  write(store_, "app");
  {
    CacheExchange exchange(fresh_, from("app"), warnings_);
    ASSERT_TRUE(exchange.find(key_of("step"), 1));
    testing::put_blob(fresh_.images(), base_.layer.blob.media_type, base_.tar);
    (void)requests("GET", top_.layer.blob.digest.str());
    write(fresh_, "other");
  }
  EXPECT_EQ(requests("GET", top_.layer.blob.digest.str()), 0U);
  EXPECT_FALSE(fresh_.images().contains(top_.layer.blob));
  EXPECT_EQ(registry_.blob("other", top_.layer.blob.digest), top_.tar);
  EXPECT_EQ(warnings_.text(), "");
}

}  // namespace
}  // namespace lade::buildcache
