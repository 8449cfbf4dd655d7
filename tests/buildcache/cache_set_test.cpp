#include "libimage/buildcache/cache_set.h"

#include <algorithm>
#include <set>

#include <gtest/gtest.h>

#include "libimage/base/error.h"
#include "libimage/buildcache/cache_document_form.h"

#include "fixture.h"

namespace lade::buildcache {
namespace {

oci::Descriptor blob(const std::string& name) {
  return oci::describe(std::string(oci::kImageLayerGzip), name);
}

/// One record whose result is the stack `layers`.
CacheSet step(const std::string& name, const std::vector<std::string>& layers,
              const std::string& created_at = "2026-01-01T00:00:00Z") {
  CacheSet set;
  for (const std::string& layer : layers) {
    oci::CacheLayer entry{.blob = blob(layer).digest};
    if (!set.document.layers.empty()) entry.parent = set.document.layers.size() - 1;
    set.document.layers.push_back(entry);
    set.blobs.emplace(entry.blob, blob(layer));
  }
  set.document.records.push_back({.digest = sha256_of(name)});
  if (!layers.empty())
    set.document.records.back().results = {{.layer = layers.size() - 1, .created_at = created_at}};
  return set;
}

/// What the records say, without positions: "digest inputs = layers @ time".
std::multiset<std::string> facts(const CacheSet& set) {
  const auto& layers = set.document.layers;
  const auto stack = [&](std::size_t top) {
    std::string text;
    for (std::optional<std::size_t> at = top; at; at = layers[*at].parent)
      text = cat(layers[*at].blob.brief(), "/", text);
    return text;
  };
  std::multiset<std::string> out;
  for (const oci::CacheRecord& record : set.document.records) {
    std::string text = record.digest.brief();
    for (const auto& alternatives : record.inputs) {
      std::multiset<std::string> names;
      for (const oci::CacheInput& input : alternatives)
        names.insert(cat(input.selector, ":", set.document.records[input.link].digest.brief()));
      text += " (";
      for (const std::string& name : names) text += name + " ";
      text += ")";
    }
    for (const auto& result : record.results)
      text += cat(" = ", stack(result.layer), " @ ", result.created_at);
    for (const auto& chain : record.chains) {
      text += " chain";
      for (const std::size_t layer : chain.layers) text += cat(" ", stack(layer));
      text += cat(" @ ", chain.created_at);
    }
    out.insert(text);
  }
  return out;
}

CacheSet read_fixture(const std::string& document, MemoryStore& store) {
  return read_cache(store, put_fixture(store, document)).set;
}

TEST(ReadCache, ReadsBothFormsOfBuildKit) {
  MemoryStore store;
  const ReadCache manifest = read_cache(store, put_fixture(store, "manifest.json"));
  const ReadCache index = read_cache(store, put_fixture(store, "index.json"));
  EXPECT_TRUE(manifest.form->image_manifest);
  EXPECT_FALSE(index.form->image_manifest);
  EXPECT_EQ(manifest.set.document, index.set.document);
  EXPECT_EQ(manifest.set.document.records.size(), 7U);
  EXPECT_EQ(manifest.set.blobs.size(), 4U);
}

TEST(ReadCache, WritesBuildKitsFormsAgain) {
  MemoryStore store;
  for (const std::string name : {"manifest.json", "index.json"}) {
    const ReadCache read = read_cache(store, put_fixture(store, name));
    const CacheDocuments written = documents_of(read.set, *read.form);
    EXPECT_EQ(*written.config.data, fixture("cacheconfig.json"));
    MemoryStore other;
    other.put("", *written.config.data);
    other.put_manifest(written.manifest.descriptor, written.manifest.raw);
    const ReadCache again = read_cache(other, written.manifest.descriptor);
    EXPECT_EQ(again.form, read.form);
    EXPECT_EQ(again.set.document, read.set.document);
    EXPECT_EQ(again.set.blobs, read.set.blobs);
  }
}

TEST(ReadCache, ReadsTheInlineCacheOfAnImage) {
  MemoryStore store;
  const std::string config = fixture("inline-config.json");
  oci::Manifest manifest{.config = store.put(std::string(oci::kImageConfig), config)};
  for (std::size_t i = 0; i < 2; ++i)
    manifest.layers.push_back(store.put(std::string(oci::kImageLayerGzip), fixture_blobs()[i]));
  const std::string raw = oci::serialise(manifest);
  const oci::Descriptor image = oci::describe(std::string(oci::kImageManifest), raw);
  store.put_manifest(image, raw);
  const ReadCache read = read_cache(store, image);
  EXPECT_FALSE(read.form);
  EXPECT_EQ(read.set.document.records.size(), 3U);
  EXPECT_EQ(read.set.document.layers.at(1).parent, 0U);
  EXPECT_EQ(read.set.blobs.at(manifest.layers[1].digest).annotation("containerd.io/uncompressed"),
            sha256_of("tools tar").str());
}

TEST(ReadCache, RefusesAConfigOfOtherBytes) {
  MemoryStore store;
  const oci::Descriptor root = put_fixture(store, "manifest.json");
  store.corrupt(sha256_of(fixture("cacheconfig.json")), "{}");
  EXPECT_THROW(read_cache(store, root), Error);
}

TEST(MergedCaches, LoseNothingOfBuildKits) {
  MemoryStore store;
  const CacheSet theirs = read_fixture("manifest.json", store);
  const CacheSet ours = step("ours", {"base layer\n", "ours"});
  const CacheSet both = merged(theirs, ours);
  std::multiset<std::string> expected = facts(theirs);
  expected.merge(facts(ours));
  EXPECT_EQ(facts(both), expected);
  EXPECT_EQ(both.document.layers.size(), 5U);  // the lowest is the same
}

TEST(MergedCaches, AreTheSameInAnyOrder) {
  MemoryStore store;
  const CacheSet theirs = read_fixture("manifest.json", store);
  const CacheSet a = step("a", {"1", "2"});
  const CacheSet b = step("b", {"1", "3"});
  const CacheSet one = merged(merged(theirs, a), b);
  const CacheSet other = merged(b, merged(a, theirs));
  EXPECT_EQ(one.document, other.document);
  EXPECT_EQ(merged(one, other).document, one.document);
}

TEST(MergedCaches, KeepTheNewerOfEqualResults) {
  const CacheSet both = merged(step("a", {"1"}, "2026-01-02T00:00:00Z"),
                               step("a", {"1"}, "2026-01-01T23:00:00-05:00"));
  ASSERT_EQ(both.document.records.size(), 1U);
  ASSERT_EQ(both.document.records[0].results.size(), 1U);
  EXPECT_EQ(both.document.records[0].results[0].created_at, "2026-01-01T23:00:00-05:00");
  EXPECT_EQ(merged(step("a", {"1"}), step("a", {"2"})).document.records.at(0).results.size(), 2U);
}

TEST(MergedCaches, TellEqualDigestsOnOtherInputsApart) {
  CacheSet a = step("input a", {"1"});
  CacheSet b = step("input b", {"2"});
  for (CacheSet* set : {&a, &b})
    set->document.records.push_back({.digest = sha256_of("run"), .inputs = {{{.link = 0}}}});
  EXPECT_EQ(merged(a, b).document.records.size(), 4U);
  EXPECT_EQ(merged(a, a).document.records.size(), 2U);
}

TEST(MergedCaches, LeaveOutResultsThatCannotBeHad) {
  CacheSet set = step("a", {"1", "2"});
  set.blobs.erase(blob("1").digest);
  const CacheSet left = merged(set, {});
  EXPECT_TRUE(left.document.layers.empty());
  EXPECT_TRUE(left.document.records.at(0).results.empty());
  EXPECT_TRUE(left.blobs.empty());
}

TEST(DropBlobs, TakesTheLayersOnTopAlong) {
  CacheSet set = merged(step("a", {"1", "2"}), step("b", {"1"}));
  drop_blobs(set, {blob("2").digest});
  EXPECT_EQ(facts(set).size(), 2U);
  EXPECT_EQ(set.blobs.size(), 1U);
  drop_blobs(set, {blob("1").digest});
  EXPECT_TRUE(set.document.layers.empty());
}

TEST(DropOldest, HoldsTheLimitAndKeepsOurs) {
  CacheSet set;
  for (int i = 0; i < 80; ++i) {
    const std::string day = cat(i < 40 ? "2025-01-" : "2026-01-", i % 20 + 10);
    set = merged(set, step(cat("step ", i), {cat("layer ", i)}, cat(day, "T00:00:00Z")));
  }
  const std::set<Digest> keep = {sha256_of("step 0")};
  const CacheLimits limits{.bytes = oci::serialise(set.document).size() / 2};
  const std::size_t dropped = drop_oldest(set, limits, keep);
  EXPECT_GT(dropped, 0U);
  EXPECT_LE(oci::serialise(set.document).size(), limits.bytes);
  EXPECT_EQ(set.document.records.size(), 80 - dropped);
  EXPECT_EQ(set.blobs.size(), set.document.layers.size());
  std::set<Digest> left;
  for (const auto& record : set.document.records) left.insert(record.digest);
  EXPECT_TRUE(left.contains(sha256_of("step 0")));   // one of the oldest, but ours
  EXPECT_FALSE(left.contains(sha256_of("step 1")));  // as old
  EXPECT_TRUE(left.contains(sha256_of("step 59")));
  EXPECT_EQ(drop_oldest(set, limits, keep), 0U);
}

TEST(DropOldest, KeepsWhatKeptRecordsNeed) {
  MemoryStore store;
  CacheSet set = read_fixture("manifest.json", store);
  const Digest last = set.document.records.back().digest;
  drop_oldest(set, {.bytes = 1}, {last});
  EXPECT_EQ(set.document.records.size(), 7U);  // the merge needs all of them
  drop_oldest(set, {.bytes = 2}, {});
  EXPECT_TRUE(set.document.records.empty());
  EXPECT_TRUE(set.document.layers.empty());
}

}  // namespace
}  // namespace lade::buildcache
