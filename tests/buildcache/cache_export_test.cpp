#include "libimage/buildcache/cache_export.h"

#include <functional>
#include <thread>

#include <gtest/gtest.h>

#include "libimage/base/error.h"

#include "fixture.h"

namespace lade::buildcache {
namespace {

/// Both interfaces of a store that others own; `before_tag` is called before each tag is moved.
class Borrowed final : public Reader, public Writer {
 public:
  explicit Borrowed(MemoryStore& store) : store_(store) {}
  std::optional<oci::Descriptor> resolve(const TagOrDigest& reference) override {
    return store_.resolve(reference);
  }
  bool contains(const oci::Descriptor& blob) override { return store_.contains(blob); }
  std::unique_ptr<BlobWriter> start_blob(const BlobHint& hint) override {
    ++blobs;
    return store_.start_blob(hint);
  }
  void put_manifest(const oci::Descriptor& descriptor, std::string_view raw) override {
    const oci::Document document = oci::parse_document(descriptor, std::string(raw));
    for (const oci::Descriptor& part : oci::successors(document)) {
      if (!store_.contains(part)) throw Error(Errc::invalid_content, "BLOB_UNKNOWN");
    }
    store_.put_manifest(descriptor, raw);
  }
  void tag(const Tag& tag, const oci::Descriptor& descriptor) override {
    if (before_tag) std::exchange(before_tag, nullptr)();
    store_.tag(tag, descriptor);
    if (after_tag) std::exchange(after_tag, nullptr)();
  }
  int blobs = 0;
  std::function<void()> before_tag;
  std::function<void()> after_tag;

 protected:
  std::unique_ptr<Source> do_open(const oci::Descriptor& blob) override {
    return store_.open_at(blob, 0);
  }

 private:
  MemoryStore& store_;
};

class CacheExportTest : public ::testing::Test {
 protected:
  CacheExportTest() {
    for (const MadeLayer* layer : {&base_, &a_, &b_})
      testing::put_blob(store_.images(), layer->layer.blob.media_type, layer->tar);
  }

  CacheSet step(const std::string& name, const MadeLayer& top) {
    CacheExchange exchange(store_, {.created_at = "2026-01-01T00:00:00Z"}, warnings_);
    const RootFs layers = tree_of(store_, {base_.layer, top.layer});
    exchange.record(done(name, layers));
    return exchange.collected(CacheMode::max);
  }

  /// The place and the interfaces that it owns.
  struct Place {
    Borrowed* reader;
    Borrowed* writer;
    std::unique_ptr<TagPlace> place;
  };
  Place place() {
    auto reader = std::make_unique<Borrowed>(remote_);
    auto writer = std::make_unique<Borrowed>(remote_);
    Place out{.reader = reader.get(), .writer = writer.get(), .place = nullptr};
    out.place = std::make_unique<TagPlace>(std::move(reader), std::move(writer), Tag{"cache"},
                                           [](std::chrono::milliseconds) {});
    return out;
  }

  void write(const CacheSet& set, CachePlace& to, const ExportOptions& options = {}) {
    export_cache(set, store_, to, options, warnings_, {});
  }
  void write(const CacheSet& set, const ExportOptions& options = {}) {
    write(set, *place().place, options);
  }

  std::size_t records() {
    return read_cache(remote_, remote_.resolve(Tag{"cache"}).value()).set.document.records.size();
  }
  bool knows(const std::string& name) {
    const ReadCache read = read_cache(remote_, remote_.resolve(Tag{"cache"}).value());
    for (const auto& record : read.set.document.records) {
      if (record.digest == sha256_of(name)) return true;
    }
    return false;
  }

  TempDir room_{temp_root(), "lade-cache-"};
  MadeLayer base_ = made_layer("base");
  MadeLayer a_ = made_layer("a");
  MadeLayer b_ = made_layer("b");
  MemoryStore remote_;
  LocalStore store_{room_.path() + "/store"};
  Warnings warnings_;
};

TEST_F(CacheExportTest, WritesLayersAndDocuments) {
  write(step("a", a_));
  EXPECT_EQ(records(), 1U);
  EXPECT_EQ(remote_.bytes_of_blob(a_.layer.blob.digest), a_.tar);
  EXPECT_EQ(remote_.bytes_of_blob(base_.layer.blob.digest), base_.tar);
}

TEST_F(CacheExportTest, AddsToWhatIsThere) {
  write(step("a", a_));
  Place second = place();
  write(step("b", b_), *second.place);
  EXPECT_TRUE(knows("a"));
  EXPECT_TRUE(knows("b"));
  EXPECT_EQ(second.writer->blobs, 2);  // a layer and the config
  write(step("a", a_));
  EXPECT_EQ(records(), 2U);
}

TEST_F(CacheExportTest, WritesNothingWhereNothingIsNew) {
  write(step("a", a_));
  Place second = place();
  write(step("a", a_), *second.place);
  EXPECT_EQ(second.writer->blobs, 0);
}

TEST_F(CacheExportTest, KeepsBuildKitsRecords) {
  put_fixture(remote_, "manifest.json");
  remote_.tag(Tag{"cache"}, *remote_.resolve(Tag{"latest"}));
  write(step("a", a_));
  EXPECT_EQ(records(), 8U);
  EXPECT_TRUE(knows("RUN make"));
  write(step("b", b_), {.form = {.image_manifest = false}});
  EXPECT_EQ(records(), 9U);
}

TEST_F(CacheExportTest, ReplacesWhenToldTo) {
  write(step("a", a_));
  write(step("b", b_), {.reset = true});
  EXPECT_EQ(records(), 1U);
}

TEST_F(CacheExportTest, RefusesToReplaceAnImage) {
  const testing::SampleImage image = testing::sample_image("x", oci::Family::oci);
  testing::write_image(remote_, image);
  remote_.tag(Tag{"cache"}, image.descriptor);
  try {
    write(step("a", a_));
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), Errc::already_exists);
  }
  EXPECT_EQ(remote_.resolve(Tag{"cache"})->digest, image.descriptor.digest);
}

TEST_F(CacheExportTest, ReplacesACacheThatCannotBeRead) {
  const oci::Descriptor config = remote_.put(std::string(oci::kCacheConfig), "{\"layers\":7}");
  const std::string raw = oci::serialise(oci::Manifest{.config = config});
  const oci::Descriptor root = oci::describe(std::string(oci::kImageManifest), raw);
  remote_.put_manifest(root, raw);
  remote_.tag(Tag{"cache"}, root);
  write(step("a", a_));
  EXPECT_EQ(records(), 1U);
  EXPECT_NE(warnings_.text().find("cannot be read and is replaced"), std::string::npos);
}

TEST_F(CacheExportTest, MergesWithWhoWasFasterBeforeTheTagMoved) {
  Place first = place();
  first.reader->before_tag = nullptr;
  first.writer->before_tag = [&] { write(step("b", b_)); };
  write(step("a", a_), *first.place);  // overwrites b's, which b sees: here nobody waits for b
  Place second = place();
  write(step("b", b_), *second.place);
  EXPECT_TRUE(knows("a"));
  EXPECT_TRUE(knows("b"));
}

TEST_F(CacheExportTest, MergesAgainWhenItWasOverwritten) {
  write(step("b", b_));
  const oci::Descriptor only_b = *remote_.resolve(Tag{"cache"});
  Place first = place();
  first.writer->after_tag = [&] { remote_.tag(Tag{"cache"}, only_b); };
  write(step("a", a_), *first.place);
  EXPECT_TRUE(knows("a"));
  EXPECT_TRUE(knows("b"));
}

TEST_F(CacheExportTest, SurvivesLayersThatTheRegistryLost) {
  write(step("a", a_));
  CacheSet old = read_cache(remote_, *remote_.resolve(Tag{"cache"})).set;
  MemoryStore other;  // the same documents, without the layer
  other.put("", base_.tar);
  const CacheDocuments documents = documents_of(old, {});
  other.put("", *documents.config.data);
  other.put_manifest(documents.manifest.descriptor, documents.manifest.raw);
  other.tag(Tag{"cache"}, documents.manifest.descriptor);
  TagPlace to(std::make_unique<Borrowed>(other), std::make_unique<Borrowed>(other), Tag{"cache"},
              [](std::chrono::milliseconds) {});
  write(step("b", b_), to);
  const CacheSet left = read_cache(other, *other.resolve(Tag{"cache"})).set;
  EXPECT_EQ(left.blobs.size(), 2U);
  EXPECT_EQ(left.document.records.size(), 2U);
}

TEST_F(CacheExportTest, ThreadsThatWriteOneTagLoseNothing) {
  std::vector<std::jthread> threads;
  std::vector<CacheSet> sets;
  for (int i = 0; i < 6; ++i) sets.push_back(step(cat("step ", i), i % 2 == 0 ? a_ : b_));
  for (int i = 0; i < 6; ++i) {
    threads.emplace_back([&, i] {
      TagPlace to(std::make_unique<Borrowed>(remote_), std::make_unique<Borrowed>(remote_),
                  Tag{"cache"},
                  [](std::chrono::milliseconds time) { std::this_thread::sleep_for(time); });
      Warnings warnings;
      export_cache(sets[static_cast<std::size_t>(i)], store_, to, {}, warnings, {});
    });
  }
  threads.clear();
  for (int i = 0; i < 6; ++i) EXPECT_TRUE(knows(cat("step ", i))) << i;
}

TEST_F(CacheExportTest, WritesALayoutAsBuildKitDoes) {
  const std::string path = room_.path() + "/layout";
  for (const auto& set : {step("a", a_), step("b", b_)}) {
    LayoutPlace to(path, "latest");
    write(set, to);
  }
  {
    LayoutPlace to(path, "other");
    write(step("a", a_), to);
  }
  LayoutStore layout(path, {});
  const auto entries = layout.entries();
  ASSERT_EQ(entries.size(), 2U);
  EXPECT_EQ(entries[0].annotation("org.opencontainers.image.ref.name"), "latest");
  EXPECT_EQ(entries[1].annotation("org.opencontainers.image.ref.name"), "other");
  EXPECT_EQ(read_cache(layout, entries[0]).set.document.records.size(), 2U);
  // Three layers, and two documents of each name: those of the first write are gone.
  EXPECT_EQ(layout.blobs().size(), 7U);
}

TEST_F(CacheExportTest, WritersOfOneLayoutLoseNothing) {
  const std::string path = room_.path() + "/layout";
  { LayoutPlace make(path, "latest"); }
  std::vector<CacheSet> sets;
  for (int i = 0; i < 6; ++i) sets.push_back(step(cat("step ", i), i % 2 == 0 ? a_ : b_));
  std::vector<std::jthread> threads;
  for (int i = 0; i < 6; ++i) {
    threads.emplace_back([&, i] {
      LayoutPlace to(path, "latest");
      Warnings warnings;
      export_cache(sets[static_cast<std::size_t>(i)], store_, to, {}, warnings, {});
    });
  }
  threads.clear();
  LayoutStore layout(path, {});
  const auto root = layout.resolve(Tag{"latest"});
  EXPECT_EQ(read_cache(layout, root.value()).set.document.records.size(), 6U);
}

}  // namespace
}  // namespace lade::buildcache
