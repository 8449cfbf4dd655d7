#include "libimage/store/layout_store.h"

#include <optional>

#include <sys/stat.h>

#include "libimage/oci/layout.h"

#include "tests/support/store_conformance.h"

namespace lade::testing {
namespace {

template <bool kNamedTemporaries>
struct LayoutPlace {
  static constexpr oci::Family kFamily = oci::Family::oci;
  static constexpr bool kAnyContent = true;
  static constexpr int kNames = 2;
  LayoutPlace() {
    store.emplace(path(), LayoutOptions{.create = true, .named_temporaries = kNamedTemporaries});
  }
  Writer& writer() { return *store; }
  Reader& reader() {
    store->finish();
    opened.emplace(path(), LayoutOptions{});
    return *opened;
  }
  static Tag name(int n) { return Tag{cat("name", n)}; }
  [[nodiscard]] std::size_t files() const { return count_files(path()); }
  [[nodiscard]] std::string path() const { return room.path() + "/layout"; }
  TempDir room{"/tmp"};
  std::optional<LayoutStore> store;
  std::optional<LayoutStore> opened;
};

using LayoutPlaces = ::testing::Types<LayoutPlace<false>, LayoutPlace<true>>;
INSTANTIATE_TYPED_TEST_SUITE_P(Layout, StoreConformance, LayoutPlaces);

class LayoutTest : public ::testing::Test {
 protected:
  [[nodiscard]] std::string path() const { return room.path() + "/layout"; }
  LayoutStore open() const { return LayoutStore(path(), {.create = true}); }
  static void open_at(const std::string& where) { LayoutStore store(where, {.create = true}); }
  std::string index_json() const { return read_file(path() + "/index.json", 1 << 20); }

  TempDir room{"/tmp"};
};

TEST_F(LayoutTest, CreatesAnEmptyLayoutWithAllItsParents) {
  const std::string deep = room.path() + "/a/b/c";
  LayoutStore store(deep, {.create = true});
  EXPECT_EQ(read_file(deep + "/oci-layout", 1000), oci::layout_marker());
  EXPECT_TRUE(store.entries().empty());
  EXPECT_FALSE(store.resolve(Tag{}));
  EXPECT_EQ(count_files(deep), 2U);
  EXPECT_NO_THROW(LayoutStore(deep, {}));
}

TEST_F(LayoutTest, RemovesALayoutThatItMadeForNothing) {
  const LayoutOptions options{.create = true, .remove_if_unused = true};
  const std::string deep = room.path() + "/a/b";
  {
    LayoutStore store(deep, options);
    (void)store.start_blob({})->write(bytes_of("never committed"));
    EXPECT_TRUE(std::filesystem::exists(deep + "/index.json"));
  }
  EXPECT_FALSE(std::filesystem::exists(room.path() + "/a"));
  std::filesystem::create_directory(path());
  { LayoutStore store(path(), options); }
  EXPECT_TRUE(std::filesystem::is_empty(path()));
}

TEST_F(LayoutTest, KeepsALayoutThatIsUsedOrWasThereBefore) {
  const LayoutOptions options{.create = true, .remove_if_unused = true};
  {
    LayoutStore store(path(), options);
    store.start_blob({})->commit("text/plain");
  }
  EXPECT_NO_THROW(LayoutStore(path(), {}));
  const std::string other = room.path() + "/other";
  { open_at(other); }
  { LayoutStore store(other, options); }
  EXPECT_NO_THROW(LayoutStore(other, {}));
  const std::string shared = room.path() + "/shared";
  {
    std::optional<LayoutStore> first(std::in_place, shared, options);
    LayoutStore second(shared, options);
    first.reset();
    second.start_blob({})->commit("text/plain");
  }
  EXPECT_NO_THROW(LayoutStore(shared, {}));
}

TEST_F(LayoutTest, MayBeOpenedWhileOthersRemoveItUnused) {
  const LayoutOptions options{.create = true, .remove_if_unused = true};
  const auto open_often = [&] {
    for (int i = 0; i < 200; ++i) EXPECT_NO_THROW(LayoutStore(path(), options));
  };
  std::jthread other(open_often);
  for (int i = 0; i < 200; ++i) {
    EXPECT_NO_THROW({
      LayoutStore store(path(), options);
      (void)store.start_blob({});
    });
  }
}

TEST_F(LayoutTest, LeavesADirectoryWithOtherContentAlone) {
  const DirFd dir = create_dir(path());
  FdSink(open_entry(dir, "precious", O_WRONLY | O_CREAT, 0600).get(), "f").write(bytes_of("x"));
  EXPECT_EQ(code_thrown([&] { (void)open(); }), Errc::already_exists);
  EXPECT_EQ(count_files(path()), 1U);
  EXPECT_EQ(code_thrown([&] { LayoutStore(path(), {}); }), Errc::invalid_content);
  EXPECT_EQ(code_thrown([&] { LayoutStore(path() + "/none", {}); }), Errc::not_found);
}

TEST_F(LayoutTest, CompletesALayoutWhoseMakerDied) {
  const DirFd dir = create_dir(path());
  FdSink(open_entry(dir, ".oci-layout.lade", O_WRONLY | O_CREAT, 0600).get(), "f")
      .write(bytes_of("half"));
  EXPECT_TRUE(open().entries().empty());
  ASSERT_EQ(::unlinkat(dir.get(), "index.json", 0), 0);
  EXPECT_TRUE(open().entries().empty());
}

TEST_F(LayoutTest, RefusesAMarkerOfAnotherVersion) {
  (void)open();
  const DirFd dir = open_dir(path());
  for (const std::string_view marker : {R"({"imageLayoutVersion":"2.0.0"})", "{}", "", "[1]"}) {
    FdSink(open_entry(dir, "oci-layout", O_WRONLY | O_TRUNC).get(), "f").write(bytes_of(marker));
    EXPECT_EQ(code_thrown([&] { (void)open(); }), Errc::invalid_content) << marker;
  }
}

TEST_F(LayoutTest, AnOldEntryLosesAReusedNameButStays) {
  LayoutStore store = open();
  const SampleImage first = sample_image("1", oci::Family::oci);
  const SampleImage second = sample_image("2", oci::Family::oci);
  write_image(store, first);
  write_image(store, second);
  store.tag(Tag{"latest"}, first.descriptor);
  store.tag(Tag{"latest"}, second.descriptor);
  const auto entries = store.entries();
  ASSERT_EQ(entries.size(), 2U);
  EXPECT_EQ(entries[0].digest, first.descriptor.digest);
  EXPECT_FALSE(entries[0].annotations);
  EXPECT_EQ(entries[1].annotation("org.opencontainers.image.ref.name"), "latest");
  EXPECT_EQ(*store.tags(), std::vector<std::string>{"latest"});
}

TEST_F(LayoutTest, AnUnnamedEntryOfTheSameImageTakesTheName) {
  LayoutStore store = open();
  const SampleImage image = sample_image("1", oci::Family::oci);
  write_image(store, image);
  store.tag(Tag{}, image.descriptor);
  store.tag(Tag{}, image.descriptor);
  EXPECT_EQ(store.entries().size(), 1U);
  store.tag(Tag{"a"}, image.descriptor);
  EXPECT_EQ(store.entries().size(), 1U);
  store.tag(Tag{"b"}, image.descriptor);
  EXPECT_EQ(store.entries().size(), 2U);
  const std::string before = index_json();
  store.tag(Tag{"a"}, image.descriptor);
  store.tag(Tag{}, image.descriptor);
  EXPECT_EQ(index_json(), before);
}

TEST_F(LayoutTest, AnEmptyTagAsksToChooseWhereThereAreSeveralImages) {
  LayoutStore store = open();
  for (const char* seed : {"1", "2", "3"}) {
    const SampleImage image = sample_image(seed, oci::Family::oci);
    write_image(store, image);
    store.tag(Tag{*seed == '3' ? "" : seed}, image.descriptor);
  }
  try {
    (void)store.resolve(Tag{});
    FAIL() << "nothing was thrown";
  } catch (const Error& e) {
    EXPECT_EQ(e.what(),
              cat("more than one image in ", lade::quoted(path()), ", choose one: 1, 2, @2"));
  }
  EXPECT_EQ(store.entry(2)->digest, sample_image("3", oci::Family::oci).descriptor.digest);
  EXPECT_FALSE(store.entry(3));
}

TEST_F(LayoutTest, KeepsMembersOfIndexJsonThatItDoesNotKnow) {
  LayoutStore store = open();
  const SampleImage image = sample_image("1", oci::Family::oci);
  write_image(store, image);
  store.edit_index([](oci::Index& index) {
    index.unknown["x-mine"] = "{\"a\":[1,2]}";
    index.annotations = oci::Annotations{{"k", "v"}};
  });
  store.tag(Tag{"a"}, image.descriptor);
  EXPECT_NE(index_json().find("\"x-mine\":{\"a\":[1,2]}"), std::string::npos);
  EXPECT_NE(index_json().find("\"k\":\"v\""), std::string::npos);
}

TEST_F(LayoutTest, KeepsThePlatformOfANamedDescriptor) {
  LayoutStore store = open();
  SampleImage image = sample_image("1", oci::Family::oci);
  write_image(store, image);
  image.descriptor.platform = oci::Platform{.architecture = "arm64", .os = "linux"};
  store.tag(Tag{"a"}, image.descriptor);
  EXPECT_EQ(store.resolve(Tag{"a"})->platform, image.descriptor.platform);
}

TEST_F(LayoutTest, ResolvesByDigestOnlyDocuments) {
  LayoutStore store = open();
  const SampleImage image = sample_image("1", oci::Family::oci);
  write_image(store, image);
  EXPECT_EQ(store.resolve(image.descriptor.digest), image.descriptor);
  EXPECT_FALSE(store.resolve(sha256_of(image.config)));
  EXPECT_FALSE(store.resolve(sha256_of(image.layers[0])));
}

TEST_F(LayoutTest, FindsReferrersWhereverTheIndexReachesThem) {
  LayoutStore store = open();
  const SampleImage image = sample_image("1", oci::Family::oci);
  write_image(store, image);
  store.tag(Tag{"a"}, image.descriptor);
  oci::Manifest artifact{.artifact_type = "application/x-signature",
                         .config = put_blob(store, std::string(oci::kEmptyJson), "{}")};
  artifact.subject = image.descriptor;
  artifact.annotations = oci::Annotations{{"k", "v"}};
  const std::string raw = oci::serialise(artifact);
  const auto descriptor = oci::describe(std::string(oci::kImageManifest), raw);
  store.put_manifest(descriptor, raw);
  oci::Index nested;
  nested.manifests = {descriptor};
  const std::string nested_raw = oci::serialise(nested);
  const auto nested_descriptor = oci::describe(std::string(oci::kImageIndex), nested_raw);
  store.put_manifest(nested_descriptor, nested_raw);
  EXPECT_TRUE(store.referrers(image.descriptor.digest)->empty());
  store.tag(Tag{}, nested_descriptor);
  const auto found = store.referrers(image.descriptor.digest);
  ASSERT_EQ(found->size(), 1U);
  EXPECT_EQ(found->front().digest, descriptor.digest);
  EXPECT_EQ(found->front().artifact_type, "application/x-signature");
  EXPECT_EQ(found->front().annotation("k"), "v");
}

TEST_F(LayoutTest, ListsAndRemovesBlobs) {
  LayoutStore store = open();
  const auto a = put_blob(store, "a/b", "one");
  const auto b = put_blob(store, "a/b", "two");
  std::vector<Digest> both{a.digest, b.digest};
  std::sort(both.begin(), both.end());
  EXPECT_EQ(store.blobs(), both);
  store.remove_blob(a.digest);
  store.remove_blob(a.digest);
  EXPECT_EQ(store.blobs(), std::vector{b.digest});
  EXPECT_FALSE(store.contains(a));
}

TEST_F(LayoutTest, ReplacesABlobFileOfTheWrongSize) {
  LayoutStore store = open();
  const auto blob = put_blob(store, "a/b", "content");
  const std::string file = path() + "/blobs/sha256/" + std::string(blob.digest.encoded());
  ASSERT_EQ(::truncate(file.c_str(), 3), 0);
  EXPECT_FALSE(store.contains(blob));
  EXPECT_EQ(code_thrown([&] { (void)read_blob(store, blob); }), Errc::size_mismatch);
  (void)put_blob(store, "a/b", "content");
  EXPECT_EQ(read_blob(store, blob), "content");
  EXPECT_EQ(count_files(path()), 3U);
}

TEST_F(LayoutTest, StoresSha512Blobs) {
  LayoutStore store = open();
  Hasher hasher("sha512");
  hasher.update("content");
  const oci::Descriptor expected{.media_type = "a/b", .digest = hasher.digest(), .size = 7};
  const auto blob = store.start_blob({.expected = expected});
  blob->write(bytes_of("content"));
  EXPECT_EQ(blob->commit("a/b"), expected);
  EXPECT_EQ(read_blob(store, expected), "content");
  EXPECT_EQ(store.blobs(), std::vector{expected.digest});
}

TEST_F(LayoutTest, ASharedBlobDirectoryReplacesItsOwn) {
  const std::string shared = room.path() + "/shared";
  LayoutStore store(path(), {.create = true, .shared_blob_dir = shared});
  const auto blob = put_blob(store, "a/b", "content");
  EXPECT_TRUE(stat_entry(open_dir(shared + "/sha256"), std::string(blob.digest.encoded())));
  EXPECT_FALSE(stat_entry(store.dir(), "blobs"));
  LayoutStore other(room.path() + "/other", {.create = true, .shared_blob_dir = shared});
  EXPECT_TRUE(other.contains(blob));
}

TEST_F(LayoutTest, TellsTheSizeOfWhatNothingLists) {
  LayoutStore store = open();
  const auto blob = put_blob(store, "a/b", "content");
  EXPECT_EQ(store.size_of(blob.digest), 7U);
  EXPECT_FALSE(store.size_of(sha256_of("absent")));
}

TEST_F(LayoutTest, GivesTheFileOfABlobForKernelSideCopies) {
  LayoutStore store = open();
  const std::string bytes(10'000'000, 'x');  // more than one step of the copy
  const auto blob = put_blob(store, "a/b", bytes);
  const auto file = store.file_of(blob);
  ASSERT_TRUE(file);
  LayoutStore other(room.path() + "/other", {.create = true});
  ASSERT_TRUE(other.try_copy_file(blob, *file));
  EXPECT_EQ(read_blob(other, blob), bytes);
  EXPECT_FALSE(store.file_of(oci::describe("a/b", "absent")));
}

TEST_F(LayoutTest, KeepsEveryNameThatConcurrentWritersGive) {
  (void)open();
  constexpr int kThreads = 4;
  constexpr int kNamesEach = 20;
  const SampleImage image = sample_image("1", oci::Family::oci);
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back([&, t] {
        LayoutStore store = open();
        write_image(store, image);
        for (int i = 0; i < kNamesEach; ++i) {
          store.tag(Tag{cat("name-", t, "-", i)}, image.descriptor);
        }
      });
    }
  }
  EXPECT_EQ(open().tags()->size(), std::size_t{kThreads} * kNamesEach);
}

TEST_F(LayoutTest, SweepsNamedTemporariesOfTheDeadOnly) {
  LayoutStore store(path(), {.create = true, .named_temporaries = true});
  const auto alive = store.start_blob({});
  alive->write(bytes_of("alive"));
  const std::string room_path = path() + "/blobs/sha256/.lade-tmp";
  const DirFd temporaries = open_dir(room_path);
  (void)open_entry(temporaries, "dead", O_WRONLY | O_CREAT, 0600);
  EXPECT_EQ(count_files(room_path), 2U);
  (void)LayoutStore(path(), {.create = true});
  EXPECT_EQ(count_files(room_path), 1U);
  EXPECT_EQ(alive->commit("a/b").digest, sha256_of("alive"));
  EXPECT_FALSE(stat_entry(open_dir(path() + "/blobs/sha256"), ".lade-tmp"));
}

}  // namespace
}  // namespace lade::testing
