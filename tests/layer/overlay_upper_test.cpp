/// Changes read from an overlayfs upper directory, against the comparison of snapshots of the same
/// mounted tree before and after.
#include <fcntl.h>
#include <sys/stat.h>

#include "libimage/base/error.h"

#include "tests/layer/trees.h"
#include "tests/support/tar_builder.h"

namespace lade {
namespace {

using testing::apply_to;
using testing::describe;
using testing::shell;
using testing::tar_of;
using testing::temp_root;

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

class OverlayUpper : public ::testing::Test {
 protected:
  TempDir temp_{temp_root()};

  void SetUp() override {
    shell(temp_.path(), "mkdir base top upper work merged before after");
    shell(temp_.path() + "/base",
          "mkdir -p d/e/f x keep; echo a > d/a; echo b > d/b; ln d/a d/e/link; ln -s a d/s; "
          "echo c > c; echo low > x/low; echo k > keep/k; mkfifo p");
    shell(temp_.path() + "/top",
          "mkdir -p d/t x; echo t > d/t/t; echo high > x/high; mknod d/b c 0 0; echo a2 > d/a");
    shell(temp_.path(),
          "find base top -exec touch -h -d @1000000000 {} +; touch -d @1000000000 upper");
  }

  /// Runs `script` in the mounted tree; the changes must turn a copy of it into what it became.
  std::vector<LayerEntry> changes(const std::string& script) {
    shell(temp_.path(),
          "unshare -m bash -e -c 'mount -t overlay overlay -o "
          "lowerdir=top:base,upperdir=upper,workdir=work merged; cp -a merged/. before; cd merged; "
          "bash -e ../script; cd ..; cp -a merged/. after'; touch -d @1000000000 before after");
    (void)script;
    const DirFd top = open_dir(temp_.path() + "/top");
    const DirFd base = open_dir(temp_.path() + "/base");
    return changes_of_upper(std::make_shared<const DirFd>(open_dir(temp_.path() + "/upper")),
                            {&top, &base});
  }
  std::string changes_applied(const std::string& script) {
    testing::write_whole(temp_.path() + "/script", script);
    const std::vector<LayerEntry> entries = changes(script);
    apply_to(temp_.path() + "/before", tar_of(entries));
    EXPECT_EQ(describe(open_dir(temp_.path() + "/before")),
              describe(open_dir(temp_.path() + "/after")));
    return list(entries);
  }
};

TEST_F(OverlayUpper, IsEmptyIfNothingChanged) { EXPECT_EQ(changes_applied("cat d/a c"), ""); }

TEST_F(OverlayUpper, LeavesOutCopiedUpParentsAndFilesThatStayedTheSame) {
  EXPECT_EQ(changes_applied(
                "touch -d @5 d/e/f; touch -d @1000000000 d/e/f; chmod 644 c; chmod 600 x/low"),
            "f x/low\n");
}

TEST_F(OverlayUpper, SeesNewChangedAndRemovedFiles) {
  EXPECT_EQ(changes_applied("echo n > d/new; echo cc > c; rm d/s x/low; touch -d @7 d x c d/new"),
            "f c\nf d\nw d/s\nf d/new\nf x\nw x/low\n");
}

TEST_F(OverlayUpper, SeesContentOfTheSameSizeAndTime) {
  EXPECT_EQ(changes_applied("echo X > c; touch -d @1000000000 c"), "f c\n");
}

TEST_F(OverlayUpper, SeesRemovedAndReplacedDirectories) {
  EXPECT_EQ(changes_applied("rm -r d; mkdir d; echo n > d/n; rm -r x; touch -d @7 . d d/n"),
            "w x\nf d\nw d/a\nw d/e\nw d/s\nw d/t\nf d/n\n");
}

TEST_F(OverlayUpper, KeepsWhatAReplacedDirectoryGotAgain) {
  EXPECT_EQ(changes_applied("cp -a d ../saved; rm -r d; mkdir -p d/e/new d/t; cp -a ../saved/s d; "
                            "echo t > d/t/t; touch -d @1000000000 d/t/t d/t; "
                            "touch -d @7 d d/e d/e/new"),
            "f d\nw d/a\nf d/e\nw d/e/f\nw d/e/link\nf d/e/new\n");
}

TEST_F(OverlayUpper, LinksBetweenFilesMadeAgainAreNotThoseOfBefore) {
  EXPECT_EQ(changes_applied("rm -r d/e keep; mkdir -p d/e/f keep; echo a > d/e/link; "
                            "echo k > keep/k; ln keep/k keep/l; rm keep/l; touch -d @1000000000 "
                            "d/e/link d/e/f keep/k; touch -d @7 d d/e keep"),
            "f d\nf d/e\nf d/e/link\nf keep\n");
}

TEST_F(OverlayUpper, ASocketLeavesAWhiteoutOfWhatItReplaced) {
  EXPECT_EQ(changes_applied("rm -r d/e c; python3 -c \"import socket; [socket.socket(socket."
                            "AF_UNIX).bind(p) for p in (\\\"c\\\", \\\"d/e\\\", \\\"n\\\")]\"; "
                            "touch -d @7 d"),
            "w c\nf d\nw d/e\n");
}

TEST_F(OverlayUpper, NewDirectoriesAreNotOpaque) {
  EXPECT_EQ(changes_applied("mkdir -p new/sub; touch -d @7 new/sub new"), "f new\nf new/sub\n");
}

TEST_F(OverlayUpper, SeesTypesThatChanged) {
  EXPECT_EQ(changes_applied("rm -r d; echo f > d; rm c; mkdir c; echo i > c/i; ln -sfn nowhere p; "
                            "touch -h -d @7 d c c/i p"),
            "f c\nf c/i\nf d\nf p\n");
}

TEST_F(OverlayUpper, KeepsHardLinksThatTheUpperHolds) {
  EXPECT_EQ(
      changes_applied("echo n > n1; ln n1 n2; mkdir m; ln n1 m/n3; ln c c2; touch -d @7 n1 m c"),
      "f c\nh c2 = c\nf m\nf m/n3\nh n1 = m/n3\nh n2 = m/n3\n");
}

TEST_F(OverlayUpper, SeesXattrsAndOwners) {
  EXPECT_EQ(changes_applied(
                "setfattr -n user.a -v b keep; chown 5:6 keep/k; mknod dev c 1 3; touch -d @7 dev"),
            "f dev\nf keep\nf keep/k\n");
}

TEST_F(OverlayUpper, FilesHiddenBelowComeBackAsNewOnes) {
  EXPECT_EQ(changes_applied("echo b > d/b; touch -d @1000000000 d/b d"), "f d/b\n");
}

TEST_F(OverlayUpper, RefusesRedirectedDirectories) {
  shell(temp_.path(), "mkdir upper/moved; setfattr -n trusted.overlay.redirect -v /d upper/moved");
  const DirFd base = open_dir(temp_.path() + "/base");
  EXPECT_THROW(
      changes_of_upper(std::make_shared<const DirFd>(open_dir(temp_.path() + "/upper")), {&base}),
      Error);
}

TEST_F(OverlayUpper, RefusesFilesWithoutTheirContent) {
  shell(temp_.path(), "touch upper/c; setfattr -n trusted.overlay.metacopy upper/c");
  const DirFd base = open_dir(temp_.path() + "/base");
  EXPECT_THROW(
      changes_of_upper(std::make_shared<const DirFd>(open_dir(temp_.path() + "/upper")), {&base}),
      Error);
}

TEST_F(OverlayUpper, WithoutLowerLayersEverythingIsNew) {
  shell(temp_.path(), "mkdir upper/d; echo x > upper/d/x; mknod upper/gone c 0 0");
  EXPECT_EQ(
      list(changes_of_upper(std::make_shared<const DirFd>(open_dir(temp_.path() + "/upper")), {})),
      "f \nw gone\nf d\nf d/x\n");
}

TEST_F(OverlayUpper, AgreesWithTheComparisonOfSnapshots) {
  testing::write_whole(
      temp_.path() + "/script",
      "rm -r x d/e; mkdir x; echo 1 > x/1; ln x/1 x/2; chmod 700 d; echo more >> c; mv keep kept; "
      "ln -sf b d/s; mkdir -p deep/er/est; echo z > deep/er/est/z; touch -d @9 d x");
  const std::vector<LayerEntry> from_upper = changes("");
  const DirFd before = open_dir(temp_.path() + "/before");
  auto after = std::make_shared<const DirFd>(open_dir(temp_.path() + "/after"));
  const std::vector<LayerEntry> from_snapshots =
      diff(capture(before), capture(*after), before, after);
  shell(temp_.path(), "cp -a before second");
  apply_to(temp_.path() + "/before", tar_of(from_upper));
  apply_to(temp_.path() + "/second", tar_of(from_snapshots));
  EXPECT_EQ(describe(before), describe(*after));
  EXPECT_EQ(describe(open_dir(temp_.path() + "/second")), describe(*after));
  EXPECT_EQ(list(from_upper), list(from_snapshots));
}

}  // namespace
}  // namespace lade
