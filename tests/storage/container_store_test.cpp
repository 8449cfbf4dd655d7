#include "libimage/storage/container_store.h"

#include <filesystem>
#include <fstream>

#include "libimage/base/text.h"
#include "libimage/io/path.h"
#include "libimage/storage/storage_reader.h"
#include "libimage/storage/storage_writer.h"

#include "tests/support/sample_image.h"
#include "tests/support/tar_builder.h"
#include "tests/support/thrown.h"

namespace lade {
namespace {

namespace fs = std::filesystem;
using testing::code_thrown;
using testing::SampleImage;
using testing::TarBuilder;

constexpr std::uint64_t kLimit = std::uint64_t{64} << 20U;

/// A store of each driver in a directory of its own.
class Storage : public ::testing::TestWithParam<const char*> {
 protected:
  TempDir temp_{"/tmp"};
  StoreLocation location_{.driver = GetParam(),
                          .graph_root = temp_.path() + "/graph",
                          .run_root = temp_.path() + "/run"};

  [[nodiscard]] std::shared_ptr<ContainerStore> store(
      StoreAccess access = StoreAccess::write) const {
    return std::make_shared<ContainerStore>(location_, access, std::stop_token());
  }
  [[nodiscard]] StorageWriter writer(const std::string& name) const { return {store(), name}; }
  [[nodiscard]] StorageReader reader(const std::string& name = "") const {
    return {store(StoreAccess::read), name};
  }

  SampleImage put(std::string_view seed, const std::string& name) const {
    SampleImage image = testing::sample_image(seed, oci::Family::oci);
    StorageWriter to = writer(name);
    testing::write_image(to, image);
    to.tag(Tag{}, image.descriptor);
    to.finish();
    return image;
  }

  /// An image of these layers, written in their order.
  oci::Descriptor put_layers(const std::vector<std::string>& tars, const std::string& name) const {
    StorageWriter to = writer(name);
    oci::Manifest manifest{.media_type = std::string(oci::kImageManifest),
                           .config = {.digest = sha256_of("")}};
    oci::ImageConfig config{.architecture = "amd64", .os = "linux"};
    for (const std::string& tar : tars) {
      const oci::Descriptor layer = oci::describe(std::string(oci::kImageLayer), tar);
      if (!to.contains(layer)) {
        const auto blob = to.start_blob({.expected = layer});
        blob->write(bytes_of(tar));
        (void)blob->commit(layer.media_type);
      }
      manifest.layers.push_back(layer);
      config.diff_ids.push_back({layer.digest});
    }
    manifest.config = testing::put_blob(to, std::string(oci::kImageConfig), oci::serialise(config));
    const std::string raw = oci::serialise(manifest);
    const oci::Descriptor descriptor = oci::describe(manifest.media_type, raw);
    to.put_manifest(descriptor, raw);
    to.tag(Tag{}, descriptor);
    to.finish();
    return descriptor;
  }

  static std::string content(Reader& from, const oci::Descriptor& blob) {
    return read_all(*from.open(from.served_as(blob)), kLimit, "blob");
  }

  [[nodiscard]] std::size_t layers() const {
    return store(StoreAccess::read)->view()->layers().size();
  }

  /// Layers' directories of the driver.
  [[nodiscard]] std::size_t trees() const {
    const std::string dir = cat(location_.graph_root, "/", GetParam(),
                                std::string_view(GetParam()) == "vfs" ? "/dir" : "");
    std::size_t count = 0;
    for (const auto& entry : fs::directory_iterator(dir)) {
      if (is_storage_id(entry.path().filename().string())) ++count;
    }
    return count;
  }

  [[nodiscard]] std::string records_path(std::string_view what) const {
    return cat(location_.graph_root, "/", GetParam(), "-", what, "/", what, ".json");
  }
  void replace_in(std::string_view what, const std::string& from, const std::string& to) const {
    const std::string path = records_path(what);
    std::string text = read_file(path, kLimit);
    const std::size_t at = text.find(from);
    ASSERT_NE(at, std::string::npos) << text;
    std::ofstream(path) << text.replace(at, from.size(), to);
  }
};

INSTANTIATE_TEST_SUITE_P(Drivers, Storage, ::testing::Values("overlay", "vfs"),
                         [](const auto& of) { return std::string(of.param); });

TEST_P(Storage, GivesBackWhatWasWritten) {
  const SampleImage image = put("a", "localhost/a:b");
  StorageReader from = reader("localhost/a:b");
  const auto found = from.resolve(Tag{});
  ASSERT_TRUE(found);
  EXPECT_EQ(*found, image.descriptor);
  const oci::Document document = from.document(*found);
  EXPECT_EQ(document.raw, image.manifest);
  const auto& manifest = std::get<oci::Manifest>(document.parsed);
  EXPECT_EQ(content(from, manifest.config), image.config);
  for (std::size_t i = 0; i < image.layers.size(); ++i) {
    EXPECT_TRUE(content(from, manifest.layers[i]) == image.layers[i]);
  }
  EXPECT_EQ(from.tags(), (std::vector<std::string>{"localhost/a:b"}));
}

TEST_P(Storage, LeavesNothingInItsStagingDirectory) {
  put("a", "localhost/a:b");
  const fs::path staging = fs::path(location_.graph_root) / GetParam() / ".lade-staging";
  std::size_t entries = 0;
  for (const auto& entry : fs::directory_iterator(staging)) {
    if (entry.path().filename() != ".lock") ++entries;
  }
  EXPECT_EQ(entries, 0U);
}

TEST_P(Storage, SharesLayersOfImages) {
  const std::string base = TarBuilder().dir("d/").file("d/f", "base").finish();
  put_layers({base, TarBuilder().file("d/a", "1").finish()}, "localhost/one");
  put_layers({base, TarBuilder().file("d/b", "2").finish()}, "localhost/two");
  EXPECT_EQ(layers(), 3U);
  EXPECT_EQ(trees(), 3U);
}

TEST_P(Storage, HoldsALayerThatAnImageHasTwice) {
  const std::string layer = TarBuilder().dir("d/").file("d/f", "same").finish();
  const oci::Descriptor image = put_layers({layer, layer}, "localhost/twice");
  EXPECT_EQ(layers(), 2U);
  StorageReader from = reader();
  const oci::Document document = from.document(image);
  for (const oci::Descriptor& each : std::get<oci::Manifest>(document.parsed).layers) {
    EXPECT_TRUE(content(from, each) == layer);
  }
}

TEST_P(Storage, PutsALayerThatIsThereOverAnotherOne) {
  const std::string top = TarBuilder().dir("d/").file("d/f", "top").finish();
  put_layers({top}, "localhost/alone");
  put_layers({TarBuilder().file("base", "b").finish(), top}, "localhost/above");
  EXPECT_EQ(layers(), 3U);
}

TEST_P(Storage, MovesNamesToTheImageThatTakesThem) {
  const SampleImage first = put("a", "localhost/a:b");
  const SampleImage second = put("c", "localhost/a:b");
  StorageReader from = reader();
  EXPECT_EQ(from.resolve(Tag{"localhost/a:b"})->digest, second.descriptor.digest);
  EXPECT_EQ(from.resolve(first.descriptor.digest)->digest, first.descriptor.digest);
}

TEST_P(Storage, FindsImagesByTheirIds) {
  const SampleImage image = put("a", "localhost/a:b");
  const std::string id(sha256_of(image.config).encoded());
  for (const std::string& name : {id, "@" + id, id.substr(0, 12), "localhost/a:b@" + id}) {
    const auto found = reader(name).resolve(Tag{});
    ASSERT_TRUE(found) << name;
    EXPECT_EQ(found->digest, image.descriptor.digest);
  }
  EXPECT_FALSE(reader("localhost/other").resolve(Tag{}));
}

TEST_P(Storage, RemovesImagesWithTheLayersThatOnlyTheyNeed) {
  const std::string base = TarBuilder().file("f", "base").finish();
  put_layers({base, TarBuilder().file("a", "1").finish()}, "localhost/one");
  put_layers({base, TarBuilder().file("b", "2").finish()}, "localhost/two");
  writer("localhost/one").remove(Tag{});
  EXPECT_EQ(layers(), 2U);
  EXPECT_FALSE(reader("localhost/one").resolve(Tag{}));
  EXPECT_TRUE(reader("localhost/two").resolve(Tag{}));
  writer("localhost/two").remove(Tag{});
  EXPECT_EQ(layers(), 0U);
  EXPECT_EQ(trees(), 0U);
  EXPECT_EQ(code_thrown([&] { writer("localhost/two").remove(Tag{}); }), Errc::not_found);
}

TEST_P(Storage, RemovesOneNameOfSeveral) {
  const SampleImage image = put("a", "localhost/a:b");
  writer("localhost/c").tag(Tag{}, image.descriptor);
  writer("localhost/a:b").remove(Tag{});
  EXPECT_FALSE(reader("localhost/a:b").resolve(Tag{}));
  EXPECT_TRUE(reader("localhost/c").resolve(Tag{}));
}

TEST_P(Storage, KeepsImagesThatContainersUse) {
  const SampleImage image = put("a", "localhost/a:b");
  std::ofstream(records_path("containers")) << R"([{"id":"c","names":["worker"],"image":")"
                                            << sha256_of(image.config).encoded() << R"("}])";
  EXPECT_EQ(code_thrown([&] { writer("localhost/a:b").remove(Tag{}); }), Errc::denied);
  EXPECT_TRUE(reader("localhost/a:b").resolve(Tag{}));
}

TEST_P(Storage, KeepsImagesWhoseLayersAreMounted) {
  put("a", "localhost/a:b");
  const auto view = store(StoreAccess::read)->view();
  const std::string top = view->images().front().record.top_layer;
  fs::create_directories(cat(location_.run_root, "/", GetParam(), "-layers"));
  std::ofstream(cat(location_.run_root, "/", GetParam(), "-layers/mountpoints.json"))
      << R"([{"id":")" << top << R"(","path":"/mnt","count":1}])";
  EXPECT_EQ(code_thrown([&] { writer("localhost/a:b").remove(Tag{}); }), Errc::denied);
}

TEST_P(Storage, RemovesWhatADeadWriterLeft) {
  put("a", "localhost/a:b");
  const std::size_t before = trees();
  const std::string id(64, 'f');
  const std::string dir = cat(location_.graph_root, "/", GetParam(),
                              std::string_view(GetParam()) == "vfs" ? "/dir/" : "/", id);
  fs::create_directories(dir + "/diff/etc");
  replace_in("layers", "[", R"([{"id":")" + id + R"(","flags":{"incomplete":true}},)");
  EXPECT_EQ(layers(), 2U);  // not there for readers
  put("c", "localhost/c");
  EXPECT_FALSE(fs::exists(dir));
  EXPECT_EQ(trees(), before + 2);
}

TEST_P(Storage, RefusesContentThatIsNotTheConfigs) {
  const std::string tar = TarBuilder().file("a", "1").finish();
  StorageWriter to = writer("localhost/a");
  const oci::Descriptor layer = testing::put_blob(to, std::string(oci::kImageLayer), tar);
  oci::ImageConfig config{.architecture = "amd64", .os = "linux"};
  config.diff_ids.push_back({sha256_of("something else")});
  const oci::Manifest manifest{
      .media_type = std::string(oci::kImageManifest),
      .config = testing::put_blob(to, std::string(oci::kImageConfig), oci::serialise(config)),
      .layers = {layer}};
  const std::string raw = oci::serialise(manifest);
  EXPECT_EQ(code_thrown([&] { to.put_manifest(oci::describe(manifest.media_type, raw), raw); }),
            Errc::digest_mismatch);
  EXPECT_EQ(layers(), 0U);
  EXPECT_EQ(trees(), 0U);
}

TEST_P(Storage, RefusesArtifacts) {
  StorageWriter to = writer("localhost/a");
  const oci::Manifest artifact{.media_type = std::string(oci::kImageManifest),
                               .config = oci::describe(std::string(oci::kEmptyJson), "{}")};
  const std::string raw = oci::serialise(artifact);
  EXPECT_EQ(code_thrown([&] { to.put_manifest(oci::describe(artifact.media_type, raw), raw); }),
            Errc::unsupported);
}

TEST_P(Storage, NoticesLayersThatHaveChanged) {
  const oci::Descriptor image =
      put_layers({TarBuilder().file("f", "content").finish()}, "localhost/a");
  const std::string id = store(StoreAccess::read)->view()->layers().front().record.id;
  const std::string tree = std::string_view(GetParam()) == "vfs"
                               ? cat(location_.graph_root, "/vfs/dir/", id)
                               : cat(location_.graph_root, "/overlay/", id, "/diff");
  std::ofstream(tree + "/f") << "CONTENT";
  StorageReader from = reader();
  const oci::Document document = from.document(image);
  EXPECT_EQ(
      code_thrown([&] { content(from, std::get<oci::Manifest>(document.parsed).layers.front()); }),
      Errc::invalid_content);
}

TEST_P(Storage, WritesLayersItselfWhereTarSplitIsMissing) {
  const std::string strange = TarBuilder().file("f", "content").finish() + std::string(512, '\0');
  const oci::Descriptor image = put_layers({strange}, "localhost/a");
  for (const auto& entry :
       fs::directory_iterator(cat(location_.graph_root, "/", GetParam(), "-layers"))) {
    if (entry.path().extension() == ".gz") fs::remove(entry.path());
  }
  StorageReader from = reader();
  const oci::Document document = from.document(image);
  // It cannot know of the padding: an error, never other bytes.
  const Errc code =
      code_thrown([&] { content(from, std::get<oci::Manifest>(document.parsed).layers.front()); });
  EXPECT_TRUE(code == Errc::size_mismatch || code == Errc::digest_mismatch);
}

TEST_P(Storage, UsesNoRecordWhoseIdIsAPath) {
  put("a", "localhost/a:b");
  replace_in("images", "[", R"([{"id":"../../../etc","names":["localhost/evil:latest"]},)");
  replace_in("layers", "[", R"([{"id":"../../../etc","diff-digest":"x"},)");
  EXPECT_FALSE(reader("localhost/evil").resolve(Tag{}));
  put("c", "localhost/c");
  EXPECT_NE(read_file(records_path("images"), kLimit).find("../../../etc"), std::string::npos);
}

TEST_P(Storage, ReadsAdditionalStores) {
  const SampleImage image = put("a", "localhost/a:b");
  const StoreLocation other{.driver = GetParam(),
                            .graph_root = temp_.path() + "/other",
                            .image_stores = {location_.graph_root}};
  const auto both = std::make_shared<ContainerStore>(other, StoreAccess::write, std::stop_token());
  StorageReader from(both, "localhost/a:b");
  ASSERT_TRUE(from.resolve(Tag{}));
  StorageWriter to(both, "localhost/mine");
  testing::write_image(to, image);
  to.tag(Tag{}, image.descriptor);
  EXPECT_FALSE(fs::exists(cat(temp_.path(), "/other/", GetParam(), "-layers/layers.json")));
}

TEST_P(Storage, SaysWhatIsMissing) {
  EXPECT_EQ(code_thrown([&] { (void)store(StoreAccess::read); }), Errc::not_found);
}

}  // namespace
}  // namespace lade
