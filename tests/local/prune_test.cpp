#include <cstdlib>
#include <fstream>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/digest/hasher.h"
#include "libimage/io/path.h"
#include "libimage/local/local_store.h"
#include "libimage/oci/image_config.h"

namespace lade {
namespace {

class PruneTest : public testing::Test {
 protected:
  static std::string temp_root() {
    const char* given = std::getenv("TMPDIR");
    return given != nullptr ? given : "/tmp";
  }

  oci::Descriptor put(std::string_view text, std::string_view media_type) {
    auto writer = store_.images().start_blob({});
    writer->write(bytes_of(text));
    writer->finish();
    return writer->commit(std::string(media_type));
  }

  /// An image of `layers`, unpacked, with its manifest; nothing names it yet.
  oci::Descriptor image(const std::vector<std::string>& layers) {
    oci::ImageConfig config{.architecture = "amd64", .os = "linux"};
    oci::Manifest manifest{.config = oci::describe("", "")};
    std::optional<ChainId> chain;
    for (const std::string& layer : layers) {
      manifest.layers.push_back(put(layer, oci::kImageLayer));
      config.diff_ids.push_back(DiffId{sha256_of(layer)});
      chain = unpack(chain, layer).chain;
    }
    manifest.config = put(oci::serialise(config), oci::kImageConfig);
    const std::string raw = oci::serialise(manifest);
    const auto descriptor = oci::describe(oci::MediaType(oci::kImageManifest), raw);
    store_.images().put_manifest(descriptor, raw);
    return descriptor;
  }

  UnpackedLayer unpack(const std::optional<ChainId>& parent, const std::string& layer) {
    auto workspace = store_.workspace();
    std::ofstream(workspace->fs_path() + "/file") << layer;
    return store_.publish(std::move(workspace), parent, DiffId{sha256_of(layer)});
  }

  bool has(const std::string& content) {
    return store_.images().contains(oci::describe("", content));
  }

  TempDir temp_{temp_root()};
  std::string path_ = temp_.path() + "/store";
  LocalStore store_{path_};
};

TEST_F(PruneTest, KeepsWhatANameReaches) {
  const auto kept = image({"base", "app"});
  store_.images().tag(Tag{"localhost/app:latest"}, kept);
  image({"base", "old app"});
  const PruneReport report = store_.prune(false);
  EXPECT_TRUE(has("base"));
  EXPECT_TRUE(has("app"));
  EXPECT_FALSE(has("old app"));
  EXPECT_EQ(report.blobs, 3U);  // the layer, the config, the manifest
  EXPECT_EQ(report.snapshots, 1U);
  EXPECT_GT(report.bytes, 0U);
  const ChainId base{sha256_of("base")};
  EXPECT_TRUE(store_.unpacked(base));
  EXPECT_TRUE(store_.unpacked(chain_id(base, DiffId{sha256_of("app")})));
  EXPECT_FALSE(store_.unpacked(chain_id(base, DiffId{sha256_of("old app")})));
  EXPECT_EQ(store_.images().document(kept).descriptor.digest, kept.digest);
}

TEST_F(PruneTest, KeepsWhatAnIndexReachesEvenWherePartsAreMissing) {
  const auto one = image({"one"});
  oci::Index index;
  index.manifests = {one, oci::describe(oci::MediaType(oci::kImageManifest), "never copied")};
  const std::string raw = oci::serialise(index);
  const auto root = oci::describe(oci::MediaType(oci::kImageIndex), raw);
  store_.images().put_manifest(root, raw);
  store_.images().tag(Tag{"localhost/multi:1"}, root);
  const PruneReport report = store_.prune(true);
  EXPECT_EQ(report.blobs, 0U);
  EXPECT_TRUE(has("one"));
  EXPECT_TRUE(store_.unpacked(ChainId{sha256_of("one")}));
}

TEST_F(PruneTest, KeepsStepResultsWithTheirLayersUnlessAskedForAll) {
  const std::string key(64, 'a');
  unpack(std::nullopt, "base");
  const ChainId base{sha256_of("base")};
  const auto upper = unpack(base, "step");
  const auto layer = put("step", oci::kImageLayer);
  store_.put_step({.key = key, .layer = layer, .diff_id = DiffId{sha256_of("step")}});
  store_.put_step({.key = std::string(64, 'b')});

  EXPECT_EQ(store_.prune(false).steps, 0U);
  EXPECT_TRUE(store_.step(key));
  EXPECT_TRUE(store_.unpacked(upper.chain));
  EXPECT_TRUE(store_.unpacked(base)) << "below a snapshot that stays";

  const PruneReport all = store_.prune(true);
  EXPECT_EQ(all.steps, 2U);
  EXPECT_EQ(all.blobs, 1U);
  EXPECT_EQ(all.snapshots, 2U);
  EXPECT_FALSE(store_.step(key));
  EXPECT_FALSE(store_.unpacked(base));
}

TEST_F(PruneTest, RemovesStepResultsThatAreOfNoUse) {
  const auto layer = put("gone", oci::kImageLayer);
  store_.put_step(
      {.key = std::string(64, 'a'), .layer = layer, .diff_id = DiffId{sha256_of("gone")}});
  store_.images().remove_blob(layer.digest);
  std::ofstream(path_ + "/steps/" + std::string(64, 'b')) << "damaged";
  std::ofstream(path_ + "/steps/.abc.tmp-12345678") << "of a killed writer";
  EXPECT_EQ(store_.prune(false).steps, 2U);
  EXPECT_NE(::access((path_ + "/steps/.abc.tmp-12345678").c_str(), F_OK), 0);
}

TEST_F(PruneTest, IsRefusedWhileAnotherHasTheStoreOpen) {
  image({"untagged"});
  {
    const LocalStore other(path_);
    try {
      store_.prune(true);
      FAIL() << "prune ran";
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), Errc::unavailable);
    }
    EXPECT_TRUE(has("untagged"));
  }
  EXPECT_EQ(store_.prune(true).blobs, 3U);
  const LocalStore still_opens(path_);
}

TEST_F(PruneTest, RemovesDigestsOfContextsThatWereNotUsedForLong) {
  const std::string dir = path_ + "/context-digests";
  ASSERT_EQ(::mkdir(dir.c_str(), 0700), 0);
  const auto add = [&](const std::string& name, std::time_t age) {
    std::ofstream(dir + "/" + name) << "digests";
    const std::time_t then = std::time(nullptr) - age;
    const timespec times[2] = {{.tv_sec = then, .tv_nsec = 0}, {.tv_sec = 1000, .tv_nsec = 0}};
    ASSERT_EQ(::utimensat(AT_FDCWD, (dir + "/" + name).c_str(), times, 0), 0);
  };
  constexpr std::time_t kDay = std::time_t{24} * 60 * 60;
  add("1-2", 29 * kDay);
  add("1-3", 31 * kDay);
  add(".1-2.tmp-12345678", 0);
  const auto is_there = [&](const char* name) {
    return ::access((dir + "/" + name).c_str(), F_OK) == 0;
  };
  EXPECT_GT(store_.prune(false).bytes, 0U);
  EXPECT_TRUE(is_there("1-2"));
  EXPECT_FALSE(is_there("1-3"));
  EXPECT_FALSE(is_there(".1-2.tmp-12345678")) << "of a killed writer";
  store_.prune(true);
  EXPECT_FALSE(is_there("1-2"));
}

}  // namespace
}  // namespace lade
