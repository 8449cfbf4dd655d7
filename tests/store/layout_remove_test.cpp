// Deletion from a layout: what only the deleted image needed goes, everything else stays.
#include <fstream>
#include <optional>

#include "libimage/io/path.h"
#include "libimage/store/layout_store.h"

#include "tests/support/sample_image.h"
#include "tests/support/thrown.h"

namespace lade::testing {
namespace {

class LayoutRemove : public ::testing::Test {
 protected:
  LayoutRemove() {
    write_image(store, first);
    store.tag(Tag{"first"}, first.descriptor);
    write_image(store, second);
    store.tag(Tag{"second"}, second.descriptor);
  }

  /// An image with `first`'s base layer and a top of its own.
  oci::Descriptor put_relative() {
    oci::Manifest manifest = oci::parse_manifest(first.manifest);
    manifest.layers[1] = put_blob(store, manifest.layers[1].media_type, small_tar("own", "layer"));
    manifest.config = put_blob(store, manifest.config.media_type, "{}");
    const std::string raw = oci::serialise(manifest);
    const oci::Descriptor descriptor = oci::describe(manifest.media_type, raw);
    store.put_manifest(descriptor, raw);
    return descriptor;
  }

  oci::Descriptor put_index(const std::vector<oci::Descriptor>& entries) {
    const std::string raw = oci::serialise(oci::Index{.manifests = entries});
    const oci::Descriptor descriptor = oci::describe(oci::MediaType(oci::kImageIndex), raw);
    store.put_manifest(descriptor, raw);
    return descriptor;
  }

  bool is_whole(const oci::Descriptor& image) {
    if (!store.contains(image)) return false;
    for (const oci::Descriptor& child : oci::successors(store.document(image))) {
      if (!store.contains(child)) return false;
    }
    return true;
  }

  static constexpr std::size_t kBlobsOfAnImage = 4;
  TempDir room{"/tmp"};
  LayoutStore store{room.path() + "/layout", {.create = true, .remove_if_unused = true}};
  SampleImage first = sample_image("1", oci::Family::oci);
  SampleImage second = sample_image("2", oci::Family::oci);
};

TEST_F(LayoutRemove, TakesTheNameAndTheBlobsOfNobodyElse) {
  store.remove(Tag{"first"});
  EXPECT_FALSE(store.resolve(Tag{"first"}));
  EXPECT_EQ(store.blobs().size(), kBlobsOfAnImage);
  EXPECT_TRUE(is_whole(second.descriptor));
  store.remove(Tag{"second"});
  EXPECT_TRUE(store.blobs().empty());
  EXPECT_TRUE(store.entries().empty());
}

TEST_F(LayoutRemove, KeepsWhatAnotherNameOrImageNeeds) {
  const oci::Descriptor relative = put_relative();
  store.tag(Tag{"relative"}, relative);
  store.tag(Tag{"again"}, first.descriptor);
  store.remove(Tag{"first"});
  EXPECT_TRUE(is_whole(first.descriptor));
  store.remove(Tag{"again"});
  EXPECT_FALSE(store.contains(first.descriptor));
  EXPECT_TRUE(is_whole(relative));
  EXPECT_EQ(store.blobs().size(), 2 * kBlobsOfAnImage);
}

TEST_F(LayoutRemove, TakesADigestWithAllItsNames) {
  store.tag(Tag{"again"}, first.descriptor);
  store.remove(first.descriptor.digest);
  EXPECT_EQ(store.tags(), (std::vector<std::string>{"second"}));
  EXPECT_FALSE(store.contains(first.descriptor));
}

TEST_F(LayoutRemove, KeepsTheImagesOfAnIndexThatStays) {
  store.tag(Tag{"all"}, put_index({first.descriptor, second.descriptor}));
  store.remove(Tag{"first"});
  EXPECT_TRUE(is_whole(first.descriptor));
  store.remove(Tag{"all"});
  EXPECT_FALSE(store.contains(first.descriptor));
  EXPECT_TRUE(is_whole(second.descriptor));
}

TEST_F(LayoutRemove, TakesAnIndexWhoseImagesAreElsewhere) {
  const oci::Descriptor absent = sample_image("3", oci::Family::oci).descriptor;
  store.tag(Tag{"sparse"}, put_index({absent, first.descriptor}));
  store.remove(Tag{"sparse"});
  EXPECT_EQ(store.blobs().size(), 2 * kBlobsOfAnImage);
}

TEST_F(LayoutRemove, AnEmptyTagNamesTheOnlyImage) {
  EXPECT_EQ(code_thrown([&] { store.remove(Tag{}); }), Errc::invalid_argument);
  store.remove(Tag{"second"});
  store.remove(Tag{});
  EXPECT_TRUE(store.entries().empty());
  EXPECT_EQ(code_thrown([&] { store.remove(Tag{}); }), Errc::not_found);
}

TEST_F(LayoutRemove, SaysThatThereIsNoSuchImage) {
  EXPECT_EQ(code_thrown([&] { store.remove(Tag{"third"}); }), Errc::not_found);
  EXPECT_EQ(code_thrown([&] { store.remove(sha256_of("third")); }), Errc::not_found);
}

TEST_F(LayoutRemove, ChangesNothingWhereAnotherImageCannotBeRead) {
  const std::string path = cat(store.path(), "/blobs/sha256/", second.descriptor.digest.encoded());
  std::ofstream(path, std::ios::app) << "damaged";
  std::filesystem::resize_file(path, second.descriptor.size);
  std::ofstream(path, std::ios::in | std::ios::out) << "[";
  EXPECT_EQ(code_thrown([&] { store.remove(Tag{"first"}); }), Errc::digest_mismatch);
  EXPECT_TRUE(store.resolve(Tag{"first"}));
  EXPECT_TRUE(is_whole(first.descriptor));
}

TEST_F(LayoutRemove, WaitsForNobodyWhoWrites) {
  {
    LayoutStore other(store.path(), {.create = true, .remove_if_unused = true});
    EXPECT_EQ(code_thrown([&] { store.remove(Tag{"first"}); }), Errc::unavailable);
    EXPECT_TRUE(is_whole(first.descriptor));
  }
  store.remove(Tag{"first"});
  // The lock is shared again: two may write.
  LayoutStore other(store.path(), {.create = true, .remove_if_unused = true});
  EXPECT_EQ(code_thrown([&] { other.remove(Tag{"second"}); }), Errc::unavailable);
}

TEST_F(LayoutRemove, LeavesSharedBlobsToTheOthers) {
  const std::string shared = room.path() + "/shared";
  LayoutStore one(room.path() + "/one", {.create = true, .shared_blob_dir = shared});
  write_image(one, first);
  one.tag(Tag{"a"}, first.descriptor);
  one.remove(Tag{"a"});
  EXPECT_TRUE(one.entries().empty());
  EXPECT_EQ(one.blobs().size(), kBlobsOfAnImage);
}

TEST_F(LayoutRemove, RefusesALocalStore) {
  std::ofstream(cat(store.path(), "/", kLocalStoreMark)).flush();
  EXPECT_EQ(code_thrown([&] { store.remove(Tag{"first"}); }), Errc::unsupported);
  EXPECT_TRUE(is_whole(first.descriptor));
}

}  // namespace
}  // namespace lade::testing
