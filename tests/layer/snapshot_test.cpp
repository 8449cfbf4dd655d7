#include <functional>

#include <fcntl.h>
#include <sys/stat.h>

#include "libimage/base/error.h"

#include "tests/layer/trees.h"

namespace lade {
namespace {

using testing::apply_to;
using testing::describe;
using testing::kOneOfEach;
using testing::shell;
using testing::tar_of;
using testing::temp_root;

/// "f path", "h path = target", "w path", "o path" on lines.
std::string list(const std::vector<LayerEntry>& entries) {
  std::string text;
  for (const LayerEntry& entry : entries) {
    text += "fhwo"[static_cast<std::size_t>(entry.kind)];
    text += " " + entry.path;
    if (entry.kind == LayerEntry::Kind::hardlink) text += " = " + entry.link_to;
    text += "\n";
  }
  return text;
}

class SnapshotDiff : public ::testing::Test {
 protected:
  TempDir temp_{temp_root()};
  std::string tree_ = temp_.path() + "/tree";
  void SetUp() override {
    shell(temp_.path(), "mkdir tree");
    shell(tree_,
          "mkdir -p d/e x; echo a > d/a; echo b > d/b; ln d/a d/e/link; ln -s a d/s; echo c > c; "
          "find . -exec touch -h -d @1000000000 {} +");
  }
  /// What `script` changes, found by comparing snapshots with a copy of the tree before.
  std::vector<LayerEntry> changes(const std::string& script) {
    shell(temp_.path(), "cp -a tree before");
    auto root = std::make_shared<const DirFd>(open_dir(tree_));
    const Snapshot lower = capture(*root);
    shell(tree_, script);
    return diff(lower, capture(*root), open_dir(temp_.path() + "/before"), root);
  }
  /// The changes, checked: applied to the tree before, they make the tree after.
  std::string changes_applied(const std::string& script) {
    const std::vector<LayerEntry> entries = changes(script);
    apply_to(temp_.path() + "/before", tar_of(entries));
    EXPECT_EQ(describe(open_dir(temp_.path() + "/before")), describe(open_dir(tree_)));
    return list(entries);
  }
};

TEST_F(SnapshotDiff, IsEmptyIfNothingChanged) { EXPECT_EQ(changes_applied("true"), ""); }

TEST_F(SnapshotDiff, IsEmptyAfterReading) {
  EXPECT_EQ(changes_applied("cat d/a c > /dev/null; ls -R"), "");
}

TEST_F(SnapshotDiff, SeesContentOfTheSameSizeAndTime) {
  EXPECT_EQ(changes_applied("echo X > c; touch -d @1000000000 c"), "f c\n");
}

TEST_F(SnapshotDiff, ComparesContentWhereOnlyTheInodeTellsOfAChange) {
  EXPECT_EQ(changes_applied("cp -a c c2; mv c2 c; touch -d @1000000000 ."), "");
}

TEST_F(SnapshotDiff, SeesEachAttribute) {
  EXPECT_EQ(changes_applied("chmod 600 c"), "f c\n");
  shell(temp_.path(), "rm -rf before");
  EXPECT_EQ(changes_applied("chown 5 c"), "f c\n");
  shell(temp_.path(), "rm -rf before");
  EXPECT_EQ(changes_applied("chgrp 5 d/s -h"), "f d/s\n");
  shell(temp_.path(), "rm -rf before");
  EXPECT_EQ(changes_applied("touch -d '@1000000000.000000001' c"), "f c\n");
  shell(temp_.path(), "rm -rf before");
  EXPECT_EQ(changes_applied("setfattr -n user.x -v y c"), "f c\n");
  shell(temp_.path(), "rm -rf before");
  EXPECT_EQ(changes_applied("touch -d @5 x"), "f x\n");
  shell(temp_.path(), "rm -rf before");
  EXPECT_EQ(changes_applied("ln -sfn b d/s; touch -h -d @1000000000 d/s d"), "f d/s\n");
}

TEST_F(SnapshotDiff, WritesAllNamesOfAChangedFile) {
  EXPECT_EQ(changes_applied("chmod 600 d/a"), "f d/a\nh d/e/link = d/a\n");
}

TEST_F(SnapshotDiff, WritesAllNamesOfAFileWithANewName) {
  EXPECT_EQ(changes_applied("ln d/a new; touch -d @1000000000 ."),
            "f d/a\nh d/e/link = d/a\nh new = d/a\n");
}

TEST_F(SnapshotDiff, SeesNamesThatBecameSeveralFiles) {
  EXPECT_EQ(changes_applied("cp -a d/a t; mv t d/a; touch -d @1000000000 d ."),
            "f d/a\nf d/e/link\n");
}

TEST_F(SnapshotDiff, SeesNamesThatBecameOneFile) {
  EXPECT_EQ(changes_applied("cp d/a c; ln -f c d/b; touch -d @1000000000 d c"), "f c\nh d/b = c\n");
}

TEST_F(SnapshotDiff, RemovedNamesAreWhiteoutsBeforeTheirSiblings) {
  EXPECT_EQ(changes_applied("rm d/b; echo n > d/aa; touch -d @1 d d/aa"), "f d\nw d/b\nf d/aa\n");
}

TEST_F(SnapshotDiff, ARemovedDirectoryIsOneWhiteout) {
  EXPECT_EQ(changes_applied("rm -r d"), "w d\n");
}

TEST_F(SnapshotDiff, ADirectoryThatBecameAFileNeedsNoWhiteout) {
  EXPECT_EQ(changes_applied("rm -r d; echo f > d"), "f d\n");
}

TEST_F(SnapshotDiff, AFileThatBecameADirectory) {
  EXPECT_EQ(changes_applied("rm c; mkdir c; touch c/in"), "f c\nf c/in\n");
}

TEST_F(SnapshotDiff, AReplacedDirectoryHidesWhatItHeld) {
  EXPECT_EQ(changes_applied("rm -r d; mkdir d; touch d/new"),
            "f d\nw d/a\nw d/b\nw d/e\nw d/s\nf d/new\n");
}

TEST_F(SnapshotDiff, SocketsAreLeftOut) {
  EXPECT_EQ(
      changes_applied(
          "python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind(\"sock\")'; rm -f x/y"),
      "");
}

TEST_F(SnapshotDiff, ASocketLeavesAWhiteoutOfWhatItReplaced) {
  EXPECT_EQ(changes_applied("rm c; rm -r d/e; python3 -c 'import socket; [socket.socket(socket."
                            "AF_UNIX).bind(p) for p in (\"c\", \"d/e\")]'; touch -d @7 d"),
            "w c\nf d\nw d/e\n");
}

TEST_F(SnapshotDiff, EverythingIsNewAgainstAnEmptyTree) {
  shell(temp_.path(), "mkdir all copy");
  shell(temp_.path() + "/all", kOneOfEach);
  auto root = std::make_shared<const DirFd>(open_dir(temp_.path() + "/all"));
  apply_to(temp_.path() + "/copy", tar_of(diff({}, capture(*root), *root, root)));
  EXPECT_EQ(describe(open_dir(temp_.path() + "/copy")), describe(*root));
}

TEST_F(SnapshotDiff, MountPointsAreRecordedWithoutTheirContent) {
  shell(
      temp_.path(),
      "mkdir -p tree/x/sub; touch tree/x/sub/hidden; unshare -m bash -c 'mount -t tmpfs t tree/x; "
      "touch tree/x/inside; echo $$ > pid; touch ready; sleep 1000' & for i in $(seq 500); do "
      "test -e ready && break; sleep 0.01; done");
  const std::string pid(trimmed(testing::read_whole(temp_.path() + "/pid")));
  const Snapshot tree = capture(open_dir("/proc/" + pid + "/root" + tree_));
  shell(temp_.path(),
        "kill $(cat /proc/" + pid + "/task/" + pid + "/children) " + pid + " || true");
  EXPECT_TRUE(tree.contains("x"));
  EXPECT_FALSE(tree.contains("x/inside"));
  EXPECT_TRUE(tree.contains("d/a"));
}

TEST(ChangeOrder, IsDirectoryByDirectoryWithWhiteoutsFirst) {
  const TempDir temp(temp_root());
  shell(temp.path(), "mkdir -p t/a/b t/a-b; touch t/a/b/c t/a/z t/a-b/x t/a.b t/a-");
  auto root = std::make_shared<const DirFd>(open_dir(temp.path() + "/t"));
  EXPECT_EQ(list(diff({}, capture(*root), *root, root)),
            "f \nf a\nf a/b\nf a/b/c\nf a/z\nf a-\nf a-b\nf a-b/x\nf a.b\n");
}

}  // namespace
}  // namespace lade
