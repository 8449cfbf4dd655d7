#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "libimage/base/error.h"

#include "tests/layer/trees.h"
#include "tests/support/tar_builder.h"

namespace lade {
namespace {

using testing::apply_to;
using testing::describe;
using testing::read_whole;
using testing::shell;
using testing::sorted_list;
using testing::TarBuilder;
using testing::temp_root;

class ApplyLayer : public ::testing::Test {
 protected:
  TempDir temp_{temp_root()};
  std::string root_ = temp_.path() + "/root";
  std::string lower_ = temp_.path() + "/lower";
  void SetUp() override { shell(temp_.path(), "mkdir root lower"); }

  [[nodiscard]] struct stat at(const std::string& path) const {
    struct stat st {};
    EXPECT_EQ(::lstat((root_ + "/" + path).c_str(), &st), 0) << path;
    return st;
  }
  [[nodiscard]] bool is_whiteout(const std::string& path) const {
    const struct stat st = at(path);
    return S_ISCHR(st.st_mode) && st.st_rdev == 0;
  }
  [[nodiscard]] bool is_opaque(const std::string& path) const {
    char value[2] = {};
    return ::lgetxattr((root_ + "/" + path).c_str(), "trusted.overlay.opaque", value, 2) == 1 &&
           value[0] == 'y';
  }
};

TEST_F(ApplyLayer, HashesPaddingAndWhateverFollowsTheArchive) {
  const std::string tar = TarBuilder().file("a", "x").finish() + std::string(10240, '\0') +
                          "trailing garbage" + std::string(3 << 20U, 'z');
  const ApplyResult result = apply_to(root_, tar);
  EXPECT_EQ(result.diff_id.value, sha256_of(tar));
  EXPECT_EQ(result.bytes, tar.size());
  EXPECT_EQ(result.entries, 1U);
}

/// Fails at the end, as a verifying source does for corrupted content.
class FailingSource final : public Source {
 public:
  explicit FailingSource(std::string_view text) : rest_(text) {}
  std::size_t read(std::span<std::byte> out) override {
    const std::size_t got = rest_.read(out);
    if (got == 0) throw Error(Errc::digest_mismatch, "content differs");
    return got;
  }

 private:
  StringSource rest_;
};

TEST_F(ApplyLayer, SeesAFailureBehindTheArchivesEnd) {
  const std::string tar = TarBuilder().file("a", "x").finish() + std::string(8192, '\0');
  FailingSource source(tar);
  try {
    apply_layer(open_dir(root_), source);
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), Errc::digest_mismatch);
  }
}

TEST_F(ApplyLayer, NamesTheEntryThatFails) {
  try {
    apply_to(root_, TarBuilder().file("fine").hardlink("dir/bad\n", "nowhere").finish());
    FAIL();
  } catch (const Error& e) {
    EXPECT_STREQ(e.what(), "'dir/bad\\x0a': hard link to 'nowhere', which does not exist");
  }
}

TEST_F(ApplyLayer, WhiteoutsRemoveWhatLowerLayersLeft) {
  apply_to(
      root_,
      TarBuilder().file("a/b/c", "1").file("a/d", "2").file("e", "3").symlink("l", "a").finish());
  apply_to(root_, TarBuilder().file("a/.wh.b").file(".wh.e").file(".wh.l").finish());
  EXPECT_EQ(sorted_list(root_), "a ");
  EXPECT_EQ(sorted_list(root_ + "/a"), "d ");
}

TEST_F(ApplyLayer, WhiteoutsSpareTheirOwnLayerWhateverTheOrder) {
  for (const bool first : {true, false}) {
    apply_to(root_,
             TarBuilder().file("d/old", "1").file("d/both", "1").file("d/sub/old", "1").finish());
    TarBuilder layer;
    if (first) layer.file(".wh.d");
    layer.dir("d").file("d/both", "2").file("d/sub/new", "2");
    if (!first) layer.file(".wh.d");
    apply_to(root_, layer.finish());
    EXPECT_EQ(sorted_list(root_ + "/d"), "both sub ") << first;
    EXPECT_EQ(sorted_list(root_ + "/d/sub"), "new ") << first;
    shell(root_, "rm -rf d");
  }
}

TEST_F(ApplyLayer, OpaqueHidesLowerContentWhateverItsPosition) {
  for (const int position : {0, 1, 2}) {
    apply_to(root_,
             TarBuilder().file("d/old", "1").file("d/sub/old", "1").file("d/sub2/old").finish());
    TarBuilder layer;
    if (position == 0) layer.file("d/.wh..wh..opq");
    layer.dir("d");
    if (position == 1) layer.file("d/.wh..wh..opq");
    layer.file("d/new", "2").file("d/sub/new", "2");
    if (position == 2) layer.file("d/.wh..wh..opq");
    apply_to(root_, layer.finish());
    EXPECT_EQ(sorted_list(root_ + "/d"), "new sub ") << position;
    EXPECT_EQ(sorted_list(root_ + "/d/sub"), "new ") << position;
    shell(root_, "rm -rf d");
  }
}

TEST_F(ApplyLayer, OpaqueRootHidesAllLowerContent) {
  apply_to(root_, TarBuilder().file("a").file("b/c").finish());
  apply_to(root_, TarBuilder().file("new").file(".wh..wh..opq").finish());
  EXPECT_EQ(sorted_list(root_), "new ");
}

TEST_F(ApplyLayer, WhiteoutsAreFilesWhereTheArchiveIsNoLayer) {
  apply_to(root_, TarBuilder().file("a", "x").file(".wh.a", "y").file(".wh..wh..opq").finish(),
           {.whiteouts = false});
  EXPECT_EQ(sorted_list(root_), ".wh..wh..opq .wh.a a ");
}

TEST_F(ApplyLayer, DirectoriesOverDirectoriesTakeNewAttributesAndKeepContent) {
  apply_to(root_, TarBuilder()
                      .pax(TarBuilder::record("SCHILY.xattr.user.old", "1"))
                      .dir("d", 0700)
                      .file("d/a", "1")
                      .finish());
  apply_to(
      root_,
      TarBuilder().pax(TarBuilder::record("SCHILY.xattr.user.new", "2")).dir("d", 0751).finish());
  const Snapshot tree = capture(open_dir(root_));
  EXPECT_EQ(tree.at("d").attributes.mode, 0751U);
  EXPECT_EQ(tree.at("d").attributes.xattrs,
            (std::map<std::string, std::string>{{"user.new", "2"}}));
  EXPECT_TRUE(tree.contains("d/a"));
}

TEST_F(ApplyLayer, DirectoriesKeepTheirTimesWhateverIsMadeInThem) {
  apply_to(root_, TarBuilder()
                      .raw({.name = "d", .type = '5', .mode = 0755, .mtime = 1000})
                      .raw({.name = "d/e", .type = '5', .mode = 0755, .mtime = 2000})
                      .file("d/e/f", "x")
                      .file("other", "x")
                      .file("d/g", "x")
                      .file("d/e/implied/h", "x")
                      .hardlink("d/e/i", "d/g")
                      .finish());
  EXPECT_EQ(at("d").st_mtime, 1000);
  EXPECT_EQ(at("d/e").st_mtime, 2000);
  EXPECT_EQ(at("d/e/implied").st_mtime, 0);
  apply_to(root_, TarBuilder().file("d/.wh.g").file("d/e/.wh..wh..opq").finish());
  EXPECT_EQ(at("d").st_mtime, 1000);
  EXPECT_EQ(at("d/e").st_mtime, 2000);
}

TEST_F(ApplyLayer, DirectoryEntriesBehindTheirContentGiveTheTime) {
  apply_to(root_, TarBuilder()
                      .file("d/f", "x")
                      .raw({.name = "d", .type = '5', .mode = 0710, .mtime = 1000})
                      .finish());
  EXPECT_EQ(at("d").st_mtime, 1000);
  EXPECT_EQ(at("d").st_mode & 07777U, 0710U);
}

TEST_F(ApplyLayer, TheRootEntrySetsItsAttributes) {
  apply_to(root_, TarBuilder()
                      .file("a")
                      .raw({.name = "./", .type = '5', .mode = 0711, .uid = 3, .mtime = 77})
                      .finish());
  EXPECT_EQ(at("").st_mode & 07777U, 0711U);
  EXPECT_EQ(at("").st_uid, 3U);
  EXPECT_EQ(at("").st_mtime, 77);
}

TEST_F(ApplyLayer, ForcedOwnersReplaceTheArchives) {
  apply_to(root_,
           TarBuilder().raw({.name = "a", .uid = 1, .gid = 2}).dir("d").symlink("l", "a").finish(),
           {.force_uid = 1000, .force_gid = 1001});
  for (const std::string name : {"a", "d", "l"}) {
    EXPECT_EQ(at(name).st_uid, 1000U);
    EXPECT_EQ(at(name).st_gid, 1001U);
  }
}

TEST_F(ApplyLayer, WithoutPrivilegeOwnersAndDevicesAreLeftOut) {
  apply_to(root_,
           TarBuilder()
               .raw({.name = "a", .uid = 1234, .size = 1})
               .content("x")
               .device("null", '3', 1, 3)
               .dir("closed", 0555)
               .file("closed/f", "x")
               .finish(),
           {.rights = Rights::own});
  EXPECT_EQ(at("a").st_uid, 0U);
  EXPECT_TRUE(S_ISREG(at("null").st_mode));
  EXPECT_EQ(at("null").st_size, 0);
  EXPECT_EQ(at("closed").st_mode & 07777U, 0555U);
  EXPECT_TRUE(S_ISREG(at("closed/f").st_mode));
}

TEST_F(ApplyLayer, SparseFilesStaySparse) {
  const std::string record = TarBuilder::record("GNU.sparse.size", "104857600") +
                             TarBuilder::record("GNU.sparse.map", "52428800,4,104857600,0");
  apply_to(root_, TarBuilder().pax(record).file("s", "DATA").file("t", "x").finish());
  EXPECT_EQ(at("s").st_size, 104857600);
  EXPECT_LT(at("s").st_blocks, 100);
  shell(root_, "test \"$(dd if=s bs=1 skip=52428800 count=4 2>/dev/null)\" = DATA");
}

TEST_F(ApplyLayer, OverlayWhiteoutsAreDevices) {
  apply_to(root_, TarBuilder().file("d/.wh.gone").file("d/there", "x").finish(),
           {.overlay_whiteouts = true});
  EXPECT_TRUE(is_whiteout("d/gone"));
  EXPECT_EQ(read_whole(root_ + "/d/there"), "x");
}

TEST_F(ApplyLayer, OverlayDirectoriesThatReplaceAreOpaque) {
  for (const bool first : {true, false}) {
    TarBuilder layer;
    if (first) layer.file(".wh.d");
    layer.dir("d", 0750).file("d/new", "x");
    if (!first) layer.file(".wh.d");
    apply_to(root_, layer.finish(), {.overlay_whiteouts = true});
    EXPECT_TRUE(is_opaque("d")) << first;
    EXPECT_EQ(at("d").st_mode & 07777U, 0750U);
    EXPECT_EQ(sorted_list(root_ + "/d"), "new ");
    shell(root_, "rm -rf d");
  }
}

TEST_F(ApplyLayer, OverlayImpliedDirectoriesOverAWhiteoutAreOpaque) {
  apply_to(root_, TarBuilder().file(".wh.d").file("d/e/new", "x").finish(),
           {.overlay_whiteouts = true});
  EXPECT_TRUE(is_opaque("d"));
  EXPECT_FALSE(is_opaque("d/e"));
}

TEST_F(ApplyLayer, OverlayFilesReplaceWhiteouts) {
  apply_to(root_, TarBuilder().file(".wh.a").file("a", "new").file("b", "b").file(".wh.b").finish(),
           {.overlay_whiteouts = true});
  EXPECT_EQ(read_whole(root_ + "/a"), "new");
  EXPECT_EQ(read_whole(root_ + "/b"), "b");
}

TEST_F(ApplyLayer, OverlayOpaqueIsAnXattr) {
  apply_to(root_, TarBuilder().file("d/new", "x").file("d/.wh..wh..opq").finish(),
           {.overlay_whiteouts = true});
  EXPECT_TRUE(is_opaque("d"));
}

TEST_F(ApplyLayer, OverlayImpliedDirectoriesLookLikeTheLowerLayers) {
  shell(lower_,
        "mkdir -p a/b; chmod 1777 a; chmod 700 a/b; chown 5:6 a/b; setfattr -n user.n -v v a; "
        "touch -d @1000 a a/b; ln -s a/b link");
  const DirFd lower = open_dir(lower_);
  apply_to(root_, TarBuilder().file("a/b/c", "x").file("link/d", "y").finish(),
           {.overlay_whiteouts = true, .lower = {&lower}});
  const Snapshot want = capture(lower);
  const Snapshot got = capture(open_dir(root_));
  EXPECT_EQ(got.at("a").attributes, want.at("a").attributes);
  EXPECT_EQ(got.at("a/b").attributes, want.at("a/b").attributes);
  EXPECT_EQ(sorted_list(root_), "a ");
  EXPECT_EQ(sorted_list(root_ + "/a/b"), "c d ");
}

TEST_F(ApplyLayer, OverlayHardLinksIntoLowerLayersCopyUp) {
  shell(lower_,
        "mkdir a; printf content > a/file; chmod 4711 a/file; touch -d @1000 a/file; ln -s nowhere "
        "a/link");
  const DirFd lower = open_dir(lower_);
  apply_to(root_, TarBuilder().hardlink("b/name", "a/file").hardlink("l", "a/link").finish(),
           {.overlay_whiteouts = true, .lower = {&lower}});
  EXPECT_EQ(at("b/name").st_ino, at("a/file").st_ino);
  EXPECT_EQ(at("a/file").st_mode & 07777U, 04711U);
  EXPECT_EQ(at("a/file").st_mtime, 1000);
  EXPECT_EQ(read_whole(root_ + "/b/name"), "content");
  EXPECT_TRUE(S_ISLNK(at("l").st_mode));
  EXPECT_THROW(apply_to(root_, TarBuilder().hardlink("x", "a/missing").finish(),
                        {.overlay_whiteouts = true, .lower = {&lower}}),
               Error);
}

TEST_F(ApplyLayer, OverlayHardLinksDoNotSeeWhatTheLayerRemoved) {
  shell(lower_, "mkdir a; printf content > a/file");
  const DirFd lower = open_dir(lower_);
  for (const TarBuilder& layer : {TarBuilder().file("a/.wh.file"), TarBuilder().file(".wh.a"),
                                  TarBuilder().dir("a").file("a/.wh..wh..opq")}) {
    TarBuilder tar = layer;
    EXPECT_THROW(apply_to(root_, tar.hardlink("x", "a/file").finish(),
                          {.overlay_whiteouts = true, .lower = {&lower}}),
                 Error);
    shell(root_, "rm -rf *");
  }
}

TEST_F(ApplyLayer, OverlayOpaqueRootHidesEachLowerName) {
  shell(lower_, "mkdir kept gone; touch kept/old file");
  const DirFd lower = open_dir(lower_);
  apply_to(root_, TarBuilder().file(".wh..wh..opq").dir("kept").finish(),
           {.overlay_whiteouts = true, .lower = {&lower}});
  EXPECT_TRUE(is_whiteout("gone"));
  EXPECT_TRUE(is_whiteout("file"));
  EXPECT_TRUE(is_opaque("kept"));
}

TEST_F(ApplyLayer, OverlayMarksOfWhatIsNotThereMakeNothing) {
  shell(lower_, "mkdir -p a/b new/gone; touch a/x a/b/y file");
  const DirFd lower = open_dir(lower_);
  const std::vector<std::pair<TarBuilder, std::string>> cases = {
      {TarBuilder().file("no/.wh.x"), ""},
      {TarBuilder().file("no/.wh..wh..opq"), ""},
      {TarBuilder().file("a/.wh.no"), "a "},
      {TarBuilder().file("file/.wh.x"), ""},
      {TarBuilder().file(".wh.a").file("a/b/.wh.y"), "a "},
      {TarBuilder().file("a/b/.wh.y").file(".wh.a"), "a "},
      {TarBuilder().file(".wh.a").file("a/.wh..wh..opq"), "a "},
      {TarBuilder().file("a/.wh..wh..opq").file(".wh.a"), "a "},
  };
  for (const auto& [layer, names] : cases) {
    TarBuilder tar = layer;
    apply_to(root_, tar.finish(), {.overlay_whiteouts = true, .lower = {&lower}});
    EXPECT_EQ(sorted_list(root_), names);
    if (names == "a " && is_whiteout("a")) shell(root_, "rm a");
    shell(root_, "test ! -d a || rmdir a");
  }
}

TEST_F(ApplyLayer, OverlayOpaqueDirectoriesHoldNoWhiteouts) {  // the kernel would list them
  shell(lower_, "mkdir -p a/b; touch a/x a/b/y");
  const DirFd lower = open_dir(lower_);
  for (const bool first : {true, false}) {
    TarBuilder layer;
    if (first) layer.file("a/.wh..wh..opq");
    layer.file("a/.wh.x").file("a/b/.wh.y").file("a/new", "n");
    if (!first) layer.file("a/.wh..wh..opq");
    apply_to(root_, layer.finish(), {.overlay_whiteouts = true, .lower = {&lower}});
    EXPECT_TRUE(is_opaque("a"));
    EXPECT_EQ(sorted_list(root_ + "/a"), "new ") << first;
    shell(root_, "rm -r a");
  }
}

TEST_F(ApplyLayer, LayersStackedByOverlayfsEqualLayersAppliedInTurn) {
  const std::vector<std::string> layers = {
      TarBuilder()
          .dir("a", 0750)
          .file("a/1", "1")
          .file("a/s/2", "2")
          .file("b/3", "3")
          .symlink("l", "b")
          .finish(),
      TarBuilder()
          .file("a/.wh.1")
          .file("b/new", "n")
          .file("l/via", "v")
          .file(".wh.missing")
          .finish(),
      TarBuilder()
          .file("a/s/.wh..wh..opq")
          .file("a/s/only", "o")
          .file(".wh.b")
          .file("b/again", "x")
          .hardlink("h", "a/s/only")
          .finish(),
      TarBuilder().dir("b", 0711).file("a", "file now").finish()};
  std::vector<DirFd> uppers;
  std::string lowerdir;
  for (const std::string& layer : layers) {
    const std::string name = cat("o", uppers.size());
    shell(temp_.path(), "mkdir -p m " + name);
    std::vector<const DirFd*> lower;
    for (auto it = uppers.rbegin(); it != uppers.rend(); ++it) lower.push_back(&*it);
    apply_to(temp_.path() + "/" + name, layer, {.overlay_whiteouts = true, .lower = lower});
    uppers.push_back(open_dir(temp_.path() + "/" + name));
    lowerdir = lowerdir.empty() ? name : name + ":" + lowerdir;
    apply_to(root_, layer);
  }
  shell(temp_.path(),
        "touch -d @0 root o*; unshare -m bash -c 'mount -t overlay overlay -o lowerdir=" +
            lowerdir + " m && cp -a m copy'");
  EXPECT_EQ(describe(open_dir(temp_.path() + "/copy")), describe(open_dir(root_)));
}

}  // namespace
}  // namespace lade
