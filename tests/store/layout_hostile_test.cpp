#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "libimage/io/path.h"
#include "libimage/store/layout_store.h"

#include "tests/support/sample_image.h"
#include "tests/support/thrown.h"

namespace lade::testing {
namespace {

/// A layout that someone else prepared.
class HostileLayout : public ::testing::Test {
 protected:
  HostileLayout() {
    LayoutStore store(path(), {.create = true});
    blob = put_blob(store, "a/b", "content");
  }
  [[nodiscard]] std::string path() const { return room.path() + "/layout"; }
  [[nodiscard]] std::string blob_path() const {
    return path() + "/blobs/sha256/" + std::string(blob.digest.encoded());
  }
  void write_index(std::string_view text) const {
    std::ofstream(path() + "/index.json", std::ios::binary) << text;
  }
  LayoutStore open() const { return LayoutStore(path(), {}); }

  TempDir room{"/tmp"};
  oci::Descriptor blob = oci::describe("", "");
};

TEST_F(HostileLayout, ABlobThatIsALinkIsRefused) {
  const std::string secret = room.path() + "/secret";
  std::ofstream(secret) << "content";  // even the right content
  std::filesystem::remove(blob_path());
  std::filesystem::create_symlink(secret, blob_path());
  LayoutStore store = open();
  EXPECT_EQ(code_thrown([&] { (void)read_blob(store, blob); }), Errc::invalid_content);
  EXPECT_FALSE(store.file_of(blob));
  EXPECT_FALSE(store.contains(blob));
  std::filesystem::remove(blob_path());
  std::filesystem::create_symlink("/etc/shadow", blob_path());
  EXPECT_EQ(code_thrown([&] { (void)read_blob(store, blob); }), Errc::invalid_content);
}

TEST_F(HostileLayout, WritingReplacesALinkInsteadOfFollowingIt) {
  const std::string victim = room.path() + "/victim";
  std::ofstream(victim) << "victim!";
  std::filesystem::remove(blob_path());
  std::filesystem::create_symlink(victim, blob_path());
  LayoutStore store(path(), {.create = true});
  (void)put_blob(store, "a/b", "content");
  EXPECT_EQ(read_file(victim, 100), "victim!");
  EXPECT_EQ(read_blob(store, blob), "content");
}

TEST_F(HostileLayout, BlobsThatAreNoFilesAreRefusedWithoutBlocking) {
  std::filesystem::remove(blob_path());
  ASSERT_EQ(::mkfifo(blob_path().c_str(), 0600), 0);
  LayoutStore store = open();
  EXPECT_EQ(code_thrown([&] { (void)read_blob(store, blob); }), Errc::invalid_content);
  std::filesystem::remove(blob_path());
  std::filesystem::create_directory(blob_path());
  EXPECT_EQ(code_thrown([&] { (void)read_blob(store, blob); }), Errc::invalid_content);
}

TEST_F(HostileLayout, DirectoriesOfBlobsThatAreLinksAreRefused) {
  const std::string elsewhere = room.path() + "/elsewhere";
  std::filesystem::rename(path() + "/blobs/sha256", elsewhere);
  std::filesystem::create_directory_symlink(elsewhere, path() + "/blobs/sha256");
  {
    LayoutStore store = open();
    EXPECT_THROW((void)read_blob(store, blob), Error);
    EXPECT_TRUE(store.blobs().empty());
  }
  std::filesystem::remove_all(path() + "/blobs");
  std::filesystem::create_directory_symlink(room.path(), path() + "/blobs");
  EXPECT_THROW((void)open(), Error);
}

TEST_F(HostileLayout, AFifoAsIndexDoesNotBlock) {
  std::filesystem::remove(path() + "/index.json");
  ASSERT_EQ(::mkfifo((path() + "/index.json").c_str(), 0600), 0);
  LayoutStore store = open();
  EXPECT_EQ(code_thrown([&] { (void)store.entries(); }), Errc::invalid_content);
}

TEST_F(HostileLayout, ALinkAsIndexOrMarkerIsRefused) {
  for (const char* name : {"/index.json", "/oci-layout"}) {
    std::filesystem::rename(path() + name, room.path() + "/moved");
    std::filesystem::create_symlink(room.path() + "/moved", path() + name);
    EXPECT_THROW((void)open().entries(), Error) << name;
    std::filesystem::rename(room.path() + "/moved", path() + name);
  }
}

TEST_F(HostileLayout, AnIndexOfFiveGigabytesIsRefusedUnread) {
  ASSERT_EQ(::truncate((path() + "/index.json").c_str(), off_t{5} << 30), 0);
  LayoutStore store = open();
  EXPECT_EQ(code_thrown([&] { (void)store.entries(); }), Errc::limit_exceeded);
}

TEST_F(HostileLayout, DigestsThatArePathsAreRefused) {
  for (const std::string_view digest :
       {"sha256:../../../../etc/passwd", "../../etc:passwd", "sha256:ABC", "sha256:", "..:..",
        "sha256:../aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}) {
    write_index(cat(R"({"schemaVersion":2,"manifests":[{"mediaType":"a/b","size":1,"digest":")",
                    digest, R"("}]})"));
    LayoutStore store = open();
    EXPECT_EQ(code_thrown([&] { (void)store.resolve(Tag{}); }), Errc::invalid_content) << digest;
  }
}

TEST_F(HostileLayout, AnEntryThatLiesAboutItsSizeIsRefused) {
  const SampleImage image = sample_image("1", oci::Family::oci);
  LayoutStore store(path(), {.create = true});
  write_image(store, image);
  store.tag(Tag{"a"}, image.descriptor);
  store.edit_index([](oci::Index& index) { index.manifests.front().size -= 1; });
  const auto entry = store.resolve(Tag{"a"});
  EXPECT_EQ(code_thrown([&] { (void)store.document(*entry); }), Errc::size_mismatch);
  store.edit_index([](oci::Index& index) { index.manifests.front().size = 1ULL << 40U; });
  const auto huge = store.resolve(Tag{"a"});
  EXPECT_EQ(code_thrown([&] { (void)store.document(*huge); }), Errc::limit_exceeded);
}

TEST_F(HostileLayout, ContentThatIsNotItsDigestsIsRefused) {
  std::ofstream(blob_path(), std::ios::trunc) << "c0ntent";
  LayoutStore store = open();
  EXPECT_EQ(code_thrown([&] { (void)read_blob(store, blob); }), Errc::digest_mismatch);
  EXPECT_EQ(code_thrown([&] { (void)store.resolve(blob.digest); }), Errc::digest_mismatch);
}

TEST_F(HostileLayout, ANameWithControlCharactersIsPrintedSafely) {
  LayoutStore store(path(), {.create = true});
  for (const char* seed : {"1", "2"}) {
    const SampleImage image = sample_image(seed, oci::Family::oci);
    write_image(store, image);
    store.tag(Tag{cat("\x1b[2J", seed)}, image.descriptor);
  }
  try {
    (void)store.resolve(Tag{});
    FAIL() << "nothing was thrown";
  } catch (const Error& e) {
    EXPECT_EQ(std::string_view(e.what()).find('\x1b'), std::string_view::npos) << e.what();
  }
}

}  // namespace
}  // namespace lade::testing
