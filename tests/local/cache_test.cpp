#include "libimage/local/cache.h"

#include <cstdlib>

#include <gtest/gtest.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/digest/hasher.h"
#include "libimage/io/path.h"

namespace lade {
namespace {

class CacheTest : public testing::Test {
 protected:
  static std::string temp_root() {
    const char* given = std::getenv("TMPDIR");
    return given != nullptr ? given : "/tmp";
  }
  oci::Descriptor put(std::string_view text) {
    auto writer = store_.images().start_blob({});
    writer->write(bytes_of(text));
    writer->finish();
    return writer->commit(std::string(oci::kImageLayer));
  }
  std::string step(const std::string& name, const std::string& layer) {
    const std::string key(sha256_of(name).encoded());
    store_.put_step(
        {.key = key, .layer = put(layer), .diff_id = DiffId{sha256_of(layer)}, .note = name});
    return key;
  }
  std::vector<CacheEntry> of(CacheEntry::Type type) {
    std::vector<CacheEntry> out;
    for (CacheEntry& entry : cache_entries(store_)) {
      if (entry.type == type) out.push_back(std::move(entry));
    }
    return out;
  }

  TempDir temp_{temp_root()};
  LocalStore store_{temp_.path() + "/store"};
};

TEST_F(CacheTest, ListsStepsWithTheBytesOfTheirLayersOnce) {
  step("RUN a", "layer");
  step("COPY --from=x", "layer");
  store_.put_step({.key = std::string(40, 'a'), .note = std::string(kSeenNote)});
  const auto steps = of(CacheEntry::Type::step);
  ASSERT_EQ(steps.size(), 2U);
  EXPECT_EQ(steps[0].bytes + steps[1].bytes, 5U);
}

TEST_F(CacheTest, RemovesAStepWithItsLayerAndNothingElse) {
  const std::string gone = step("RUN a", "one");
  const std::string kept = step("RUN b", "two");
  std::vector<CacheEntry> doomed = of(CacheEntry::Type::step);
  std::erase_if(doomed, [&](const CacheEntry& entry) { return entry.id != gone; });
  const PruneReport report = store_.prune_cache(doomed);
  EXPECT_EQ(report.steps, 1U);
  EXPECT_EQ(report.blobs, 1U);
  EXPECT_FALSE(store_.step(gone).has_value());
  EXPECT_TRUE(store_.step(kept).has_value());
}

TEST_F(CacheTest, AMountIsListedByItsIdAndKeptWhileItIsInUse) {
  const CacheMountOptions options{.id = "/root/.cache"};
  {
    const auto mount = store_.cache_mount(options, {});
    EXPECT_TRUE(of(CacheEntry::Type::mount).at(0).in_use);
  }
  const auto mounts = of(CacheEntry::Type::mount);
  ASSERT_EQ(mounts.size(), 1U);
  EXPECT_EQ(mounts[0].description, "/root/.cache");
  EXPECT_FALSE(mounts[0].in_use);
  EXPECT_TRUE(real_path(cache_mount_path(store_, mounts[0])).has_value());
  EXPECT_EQ(store_.prune_cache(mounts).cache_mounts, 1U);
  EXPECT_TRUE(of(CacheEntry::Type::mount).empty());
}

TEST_F(CacheTest, KeepsAThousandSmallFilesOfAKind) {
  EXPECT_EQ(read_kept(store_, kLogsDir, "00", 100), std::nullopt);
  keep(store_, kLogsDir, "00", "text");
  EXPECT_EQ(read_kept(store_, kLogsDir, "00", 100), "text");
  EXPECT_EQ(read_kept(store_, kLogsDir, "00", 3), std::nullopt);
  for (int i = 0; i < 1100; ++i) keep(store_, kLogsDir, cat("a", i, "0"), "");
  EXPECT_LT(of(CacheEntry::Type::log).size(), 1001U);
}

TEST_F(CacheTest, AStepIsOneBuildsAtATime) {
  const std::string key(40, 'b');
  LocalStore other(store_.path());
  {
    const auto lock = store_.try_lock_step(key);
    ASSERT_TRUE(lock.has_value());
    EXPECT_FALSE(other.try_lock_step(key).has_value());
    EXPECT_TRUE(other.try_lock_step(std::string(40, 'c')).has_value());
  }
  EXPECT_TRUE(other.try_lock_step(key).has_value());
  EXPECT_THROW((void)store_.try_lock_step("../x"), Error);
}

}  // namespace
}  // namespace lade
