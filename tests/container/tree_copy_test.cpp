#include "libimage/container/tree_copy.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "libimage/layer/snapshot.h"

#include "tests/container/fixture.h"

namespace lade {
namespace {

class TreeCopyTest : public testing::Test {
 protected:
  void file(const std::string& path, const std::string& text, mode_t mode) {
    const UniqueFd fd = open_in_root(from_, path, O_WRONLY | O_CREAT, 0600);
    ASSERT_EQ(::write(fd.get(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
    ASSERT_EQ(::fchmod(fd.get(), mode), 0);
  }
  TempDir temp_{temp_root()};
  DirFd from_ = create_dir(temp_.path() + "/from");
  DirFd to_ = create_dir(temp_.path() + "/to");
};

TEST_F(TreeCopyTest, KeepsEverythingThatALayerCanHold) {
  const int dir = from_.get();
  ASSERT_EQ(::mkdirat(dir, "sub", 0755), 0);
  ASSERT_EQ(::mkdirat(dir, "sub/closed", 0), 0);
  file("sub/f", "text", 04711);
  ASSERT_EQ(::linkat(dir, "sub/f", dir, "other name", 0), 0);
  ASSERT_EQ(::symlinkat("../nowhere", dir, "sub/link"), 0);
  ASSERT_EQ(::mknodat(dir, "fifo", S_IFIFO | 0620, 0), 0);
  ASSERT_EQ(::mknodat(dir, "null", S_IFCHR | 0666, makedev(1, 3)), 0);
  ASSERT_EQ(::mknodat(dir, "disk", S_IFBLK | 0660, makedev(7, 0)), 0);
  ASSERT_EQ(::fchownat(dir, "sub/link", 12, 34, AT_SYMLINK_NOFOLLOW), 0);
  ASSERT_EQ(::fchownat(dir, "sub", 56, 78, 0), 0);
  const std::string sub = temp_.path() + "/from/sub";
  ASSERT_EQ(::setxattr(sub.c_str(), "user.note", "a\0b", 3, 0), 0);
  const timespec times[2] = {{1, 2}, {1234, 567890123}};
  for (const char* name : {"sub", "sub/link", "sub/closed", "other name"}) {
    ASSERT_EQ(::utimensat(dir, name, times, AT_SYMLINK_NOFOLLOW), 0);
  }
  copy_tree(from_, to_);
  const Snapshot expected = capture(from_);
  const Snapshot found = capture(to_);
  ASSERT_EQ(found.size(), expected.size());
  for (const auto& [path, entry] : expected) {
    ASSERT_TRUE(found.contains(path)) << path;
    EXPECT_EQ(found.at(path).attributes, entry.attributes) << path;
    EXPECT_EQ(found.at(path).inode.links, entry.inode.links) << path;
  }
  EXPECT_EQ(found.at("sub/f").inode.number, found.at("other name").inode.number);
  EXPECT_NE(found.at("sub/f").inode.number, expected.at("sub/f").inode.number);
  EXPECT_EQ(read_file_at(to_, "sub/f", 10), "text");
}

TEST_F(TreeCopyTest, KeepsHoles) {
  const UniqueFd fd = open_in_root(from_, "sparse", O_WRONLY | O_CREAT, 0600);
  ASSERT_EQ(::pwrite(fd.get(), "x", 1, 5 << 20), 1);
  ASSERT_EQ(::ftruncate(fd.get(), 20 << 20), 0);
  copy_tree(from_, to_);
  struct stat st {};
  ASSERT_EQ(::fstatat(to_.get(), "sparse", &st, 0), 0);
  EXPECT_EQ(st.st_size, 20 << 20);
  EXPECT_LT(st.st_blocks * 512, 1 << 20);
  const UniqueFd copy = open_in_root(to_, "sparse", O_RDONLY);
  char byte = 0;
  ASSERT_EQ(::pread(copy.get(), &byte, 1, 5 << 20), 1);
  EXPECT_EQ(byte, 'x');
}

}  // namespace
}  // namespace lade
