// What a broken attempt at a large blob leaves, and what the next one makes of it.
#include <csignal>
#include <filesystem>
#include <fstream>
#include <optional>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "libimage/io/path.h"
#include "libimage/store/layout_store.h"

#include "tests/support/sample_image.h"
#include "tests/support/thrown.h"

namespace lade::testing {
namespace {

constexpr std::size_t kSize = std::size_t{12} << 20;
constexpr std::size_t kHalf = kSize / 2;

class PartialBlobTest : public ::testing::Test {
 protected:
  LayoutStore open() const { return LayoutStore(path(), {.create = true}); }
  [[nodiscard]] std::string path() const { return room.path() + "/layout"; }
  [[nodiscard]] std::string part() const {
    return cat(path(), "/blobs/sha256/.lade-tmp/part-", blob.digest.encoded());
  }
  [[nodiscard]] std::unique_ptr<BlobWriter> begin(LayoutStore& store) const {
    return store.start_blob({.expected = blob, .verified_by_source = true});
  }
  /// An attempt that breaks off after `count` bytes.
  void break_off(std::size_t count) const {
    LayoutStore store = open();
    begin(store)->write(bytes_of(content).first(count));
  }
  /// Writes what the store lacks.
  void complete(LayoutStore& store) const {
    const auto writer = begin(store);
    writer->write(bytes_of(content).subspan(writer->kept()));
    writer->commit(blob.media_type);
  }
  void expect_whole() const {
    LayoutStore store = open();
    EXPECT_EQ(read_blob(store, blob), content);
    EXPECT_FALSE(std::filesystem::exists(path() + "/blobs/sha256/.lade-tmp"));
  }

  TempDir room{"/tmp"};
  std::string content = std::string(kHalf, 'a') + std::string(kSize - kHalf, 'b');
  oci::Descriptor blob = oci::describe(std::string(oci::kImageLayer), content);
};

TEST_F(PartialBlobTest, ContinuesWhatABrokenAttemptWrote) {
  break_off(kHalf);
  LayoutStore store = open();
  EXPECT_FALSE(store.contains(blob));
  EXPECT_EQ(begin(store)->kept(), kHalf);
  complete(store);
  expect_whole();
}

TEST_F(PartialBlobTest, ContinuesAfterItsWriterWasKilled) {
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    LayoutStore store = open();
    const auto writer = begin(store);
    writer->write(bytes_of(content).first(kHalf));
    for (struct stat st{};;) {  // until the bytes are in the file
      if (::stat(part().c_str(), &st) == 0 && st.st_size >= 5 << 20) break;
    }
    ::raise(SIGKILL);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status));
  LayoutStore store = open();
  EXPECT_GE(begin(store)->kept(), std::size_t{5} << 20);
  complete(store);
  expect_whole();
}

TEST_F(PartialBlobTest, ForgetsWhatWasWrong) {
  break_off(kHalf);
  { std::fstream(part(), std::ios::in | std::ios::out | std::ios::binary) << "X"; }
  LayoutStore store = open();
  EXPECT_EQ(code_thrown([&] { complete(store); }), Errc::digest_mismatch);
  EXPECT_FALSE(store.contains(blob));
  EXPECT_EQ(begin(store)->kept(), 0U);
  complete(store);
  expect_whole();
}

TEST_F(PartialBlobTest, StartsOverWhereThereIsMoreThanTheBlobHas) {
  break_off(kHalf);
  std::filesystem::resize_file(part(), kSize + 1);
  LayoutStore store = open();
  EXPECT_EQ(begin(store)->kept(), 0U);
  complete(store);
  expect_whole();
}

TEST_F(PartialBlobTest, CompletesWhatLacksNothingButItsName) {
  break_off(kSize);
  LayoutStore store = open();
  EXPECT_EQ(begin(store)->kept(), kSize);
  complete(store);
  expect_whole();
}

TEST_F(PartialBlobTest, KeepsNoLittleAndNothingOfUnknownDigest) {
  break_off(100'000);
  {
    LayoutStore store = open();
    store.start_blob({})->write(bytes_of(content));
  }
  EXPECT_FALSE(std::filesystem::exists(path() + "/blobs/sha256/.lade-tmp"));
}

TEST_F(PartialBlobTest, TwoWritersOfOneBlobDoNotShareAPart) {
  LayoutStore store = open();
  const auto first = begin(store);
  const auto second = begin(store);
  first->write(bytes_of(content).first(kHalf));
  second->write(bytes_of(content));
  second->commit(blob.media_type);
  first->write(bytes_of(content).subspan(kHalf));
  first->commit(blob.media_type);
  EXPECT_EQ(read_blob(store, blob), content);
}

TEST_F(PartialBlobTest, TakesNoPartThatOthersCanWriteTo) {
  const std::string other = room.path() + "/other";
  break_off(kHalf);
  std::filesystem::rename(part(), other);
  std::filesystem::create_hard_link(other, part());
  {
    LayoutStore store = open();
    EXPECT_EQ(begin(store)->kept(), 0U);
  }
  std::filesystem::remove(part());
  std::filesystem::create_symlink(other, part());
  LayoutStore store = open();
  EXPECT_EQ(begin(store)->kept(), 0U);
  complete(store);
  EXPECT_EQ(std::filesystem::file_size(other), kHalf);
}

TEST_F(PartialBlobTest, IsSweptWhenItIsOldOrWhenAskedTo) {
  break_off(kHalf);
  { (void)open(); }
  EXPECT_TRUE(std::filesystem::exists(part()));
  const timespec long_ago[2] = {{.tv_sec = 1'000'000, .tv_nsec = 0},
                                {.tv_sec = 1'000'000, .tv_nsec = 0}};
  ASSERT_EQ(::utimensat(AT_FDCWD, part().c_str(), long_ago, 0), 0);
  { (void)open(); }
  EXPECT_FALSE(std::filesystem::exists(part()));
  break_off(kHalf);
  LayoutStore store = open();
  store.forget_partial_blobs();
  EXPECT_FALSE(std::filesystem::exists(part()));
}

}  // namespace
}  // namespace lade::testing
