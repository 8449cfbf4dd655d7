/// Layers that attack: whatever they are, nothing outside the root changes, and each is either
/// refused with the right code or does what docs/design/0004-apply.md says.
#include <functional>

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
using testing::RawHeader;
using testing::read_whole;
using testing::shell;
using testing::sorted_list;
using testing::TarBuilder;
using testing::temp_root;

/// What must hold after the layer: an error of that code, or a check of the tree.
struct Case {
  std::string name;
  std::function<std::string(const std::string& outside)> layer;
  std::optional<Errc> refused = {};
  std::function<void(const std::string& root)> check = {};
};

struct stat lstat_of(const std::string& path) {
  struct stat st {};
  EXPECT_EQ(::lstat(path.c_str(), &st), 0) << path;
  return st;
}

bool exists(const std::string& path) {
  struct stat st {};
  return ::lstat(path.c_str(), &st) == 0;
}

auto holds(const std::string& path, const std::string& text) {
  return [=](const std::string& root) {
    EXPECT_TRUE(S_ISREG(lstat_of(root + "/" + path).st_mode));
    EXPECT_EQ(read_whole(root + "/" + path), text);
  };
}

std::string many(std::string_view text, int count) {
  std::string all;
  for (int i = 0; i < count; ++i) all += text;
  return all;
}

std::string x_with(const std::string& records, const TarBuilder& entry) {
  return TarBuilder().pax(records).bytes(entry.unfinished()).finish();
}

std::vector<Case> path_cases() {
  return {
      {"DotDotIsClampedToTheRoot",
       [](auto&) { return TarBuilder().file("../../x", "in").finish(); },
       {},
       holds("x", "in")},
      {"AbsolutePathIsClampedToTheRoot",
       [](auto&) { return TarBuilder().file("/etc/x", "in").finish(); },
       {},
       holds("etc/x", "in")},
      {"DotDotInTheMiddleIsClamped",
       [](auto&) { return TarBuilder().file("a/../../../b", "in").finish(); },
       {},
       holds("b", "in")},
      {"PaxPathWithDotDotIsClamped",
       [](auto&) {
         return x_with(TarBuilder::record("path", "../../p"), TarBuilder().file("q", "in"));
       },
       {},
       holds("p", "in")},
      {"GnuLongNameWithDotDotIsClamped",
       [](auto&) { return TarBuilder().gnu_long('L', "/../../g").file("q", "in").finish(); },
       {},
       holds("g", "in")},
      {"EmptyNameIsRefused", [](auto&) { return TarBuilder().file("", "x").finish(); },
       Errc::invalid_content},
      {"RootAsFileIsRefused", [](auto&) { return TarBuilder().file("./", "").finish(); },
       Errc::invalid_content},
      {"RootAsFileByDotIsRefused", [](auto&) { return TarBuilder().file(".", "x").finish(); },
       Errc::invalid_content},
      {"RootAsLinkIsRefused", [](auto& out) { return TarBuilder().symlink(".", out).finish(); },
       Errc::invalid_content},
      {"RootAsLinkBySlashIsRefused",
       [](auto& out) { return TarBuilder().symlink("/", out).file("x", "x").finish(); },
       Errc::invalid_content},
      {"RootAsLinkByDotDotIsRefused",
       [](auto& out) { return TarBuilder().dir("a").symlink("a/..", out).finish(); },
       Errc::invalid_content},
      {"RootAsHardLinkIsRefused",
       [](auto&) { return TarBuilder().file("a").hardlink(".", "a").finish(); },
       Errc::invalid_content},
      {"RootAsFifoIsRefused",
       [](auto&) { return TarBuilder().raw({.name = "./", .type = '6'}).finish(); },
       Errc::invalid_content},
      {"NameOf256BytesIsRefused",
       [](auto&) {
         return x_with(TarBuilder::record("path", many("n", 256)), TarBuilder().file("q", "x"));
       },
       Errc::io},
      {"PathBeyondPathMaxWorks",
       [](auto&) {
         return x_with(TarBuilder::record("path", many(many("d", 100) + "/", 60) + "f"),
                       TarBuilder().file("q", "deep"));
       },
       {},
       [](const std::string& root) {
         const UniqueFd fd =
             open_in_root(open_dir(root), many(many("d", 100) + "/", 60) + "f", O_RDONLY);
         char text[8] = {};
         EXPECT_EQ(::read(fd.get(), text, sizeof text), 4);
       }},
      {"PathOf1001ComponentsIsRefused",
       [](auto&) {
         return x_with(TarBuilder::record("path", many("d/", 1000) + "f"), TarBuilder().file("q"));
       },
       Errc::limit_exceeded},
      {"PathBeyond64KiBIsRefused",
       [](auto&) {
         return x_with(TarBuilder::record("path", many(many("d", 200) + "/", 400)),
                       TarBuilder().dir("q"));
       },
       Errc::limit_exceeded},
      {"NewlineAndControlBytesInNamesAreKept",
       [](auto&) { return TarBuilder().file("a\n\x1b[31mb", "in").finish(); },
       {},
       holds("a\n\x1b[31mb", "in")},
      {"BytesThatAreNoUtf8AreKept",
       [](auto&) { return TarBuilder().file("a\xff\xfe", "in").finish(); },
       {},
       holds("a\xff\xfe", "in")},
  };
}

std::vector<Case> symlink_cases() {
  return {
      {"FileThroughAbsoluteLinkStaysInside",
       [](auto& out) { return TarBuilder().symlink("l", out).file("l/x", "in").finish(); },
       {},
       [](const std::string& root) { EXPECT_TRUE(S_ISLNK(lstat_of(root + "/l").st_mode)); }},
      {"FileThroughDotDotLinkStaysInside",
       [](auto&) { return TarBuilder().symlink("l", "../outside").file("l/x", "in").finish(); },
       {},
       holds("outside/x", "in")},
      {"FileThroughLinkChainStaysInside",
       [](auto&) {
         return TarBuilder()
             .symlink("a", "../..")
             .symlink("b", "a/../outside")
             .file("b/x", "in")
             .finish();
       },
       {},
       holds("outside/x", "in")},
      {"FileThroughLinkToRootStaysInside",
       [](auto&) { return TarBuilder().symlink("l", "/").file("l/x", "in").finish(); },
       {},
       holds("x", "in")},
      {"LinkLoopIsRefused",
       [](auto&) {
         return TarBuilder().symlink("a", "b").symlink("b", "a").file("a/x", "x").finish();
       },
       Errc::io},
      {"LinkToItselfIsRefused",
       [](auto&) { return TarBuilder().symlink("a", "a/a/a").file("a/x", "x").finish(); },
       Errc::io},
      {"FileOverLinkReplacesTheLink",
       [](auto& out) {
         return TarBuilder().symlink("l", out + "/canary").file("l", "new").finish();
       },
       {},
       holds("l", "new")},
      {"DirectoryOverLinkReplacesTheLink",
       [](auto& out) {
         return TarBuilder().symlink("l", out).dir("l", 0777).file("l/x", "in").finish();
       },
       {},
       holds("l/x", "in")},
      {"FifoOverLinkReplacesTheLink",
       [](auto& out) {
         return TarBuilder()
             .symlink("l", out + "/canary")
             .raw({.name = "l", .type = '6', .mode = 0666})
             .finish();
       },
       {},
       [](const std::string& root) { EXPECT_TRUE(S_ISFIFO(lstat_of(root + "/l").st_mode)); }},
      {"LinkOverDirectoryReplacesItsTree",
       [](auto& out) {
         return TarBuilder()
             .dir("d")
             .file("d/e/f", "x")
             .symlink("d", out)
             .file("d/x", "in")
             .finish();
       },
       {},
       [](const std::string& root) { EXPECT_TRUE(S_ISLNK(lstat_of(root + "/d").st_mode)); }},
      {"LinkSwappedInBetweenTwoFilesIsSeen",
       [](auto& out) {
         return TarBuilder().file("d/a", "1").symlink("d", out).file("d/b", "2").finish();
       },
       {},
       [](const std::string& root) { EXPECT_FALSE(exists(root + "/d/a")); }},
      {"WhiteoutThroughLinkStaysInside",
       [](auto& out) { return TarBuilder().symlink("l", out).file("l/.wh.canary").finish(); },
       {}},
      {"OpaqueThroughLinkStaysInside",
       [](auto& out) { return TarBuilder().symlink("l", out).file("l/.wh..wh..opq").finish(); },
       {}},
      {"EmptyLinkTargetIsRefused", [](auto&) { return TarBuilder().symlink("l", "").finish(); },
       Errc::invalid_content},
      {"FileBelowAFileIsRefused",
       [](auto&) { return TarBuilder().file("a", "x").file("a/b", "y").finish(); }, Errc::io},
  };
}

std::vector<Case> hardlink_cases() {
  return {
      {"HardLinkToAbsolutePathStaysInside",
       [](auto& out) { return TarBuilder().hardlink("h", out + "/canary").finish(); },
       Errc::invalid_content},
      {"HardLinkByDotDotStaysInside",
       [](auto&) { return TarBuilder().hardlink("h", "../outside/canary").finish(); },
       Errc::invalid_content},
      {"HardLinkThroughLinkedDirectoryStaysInside",
       [](auto& out) { return TarBuilder().symlink("l", out).hardlink("h", "l/canary").finish(); },
       Errc::invalid_content},
      {"HardLinkToMissingFileIsRefused",
       [](auto&) { return TarBuilder().hardlink("h", "missing").finish(); }, Errc::invalid_content},
      {"HardLinkToDirectoryIsRefused",
       [](auto&) { return TarBuilder().dir("d").hardlink("h", "d").finish(); },
       Errc::invalid_content},
      {"HardLinkToRootIsRefused", [](auto&) { return TarBuilder().hardlink("h", "/").finish(); },
       Errc::invalid_content},
      {"HardLinkToALinkLinksTheLinkItself",
       [](auto& out) {
         return TarBuilder()
             .symlink("s", out + "/canary")
             .hardlink("h", "s")
             .file("h", "new")
             .finish();
       },
       {},
       holds("h", "new")},
      {"HardLinkToItselfKeepsTheFile",
       [](auto&) { return TarBuilder().file("a", "x").hardlink("a", "a").finish(); },
       {},
       holds("a", "x")},
      {"HardLinkWithASizeHasNoContent",
       [](auto&) {
         return TarBuilder()
             .file("a", "x")
             .raw({.name = "h", .type = '1', .size = 700, .link = "a"})
             .file("b", "y")
             .finish();
       },
       {},
       holds("b", "y")},
      {"HardLinkTargetWithPaxDotDotStaysInside",
       [](auto&) {
         return x_with(TarBuilder::record("linkpath", "../../../etc/passwd"),
                       TarBuilder().hardlink("h", "q"));
       },
       Errc::invalid_content},
  };
}

std::vector<Case> whiteout_cases() {
  const auto bad = [](std::string name, std::string path) {
    return Case{std::move(name),
                [path](auto&) { return TarBuilder().file("keep", "k").file(path).finish(); },
                Errc::invalid_content};
  };
  return {
      bad("WhiteoutOfNothingIsRefused", ".wh."),
      bad("WhiteoutOfDotIsRefused", ".wh.."),
      bad("WhiteoutOfDotDotIsRefused", ".wh..."),
      bad("WhiteoutOfDotDotBelowIsRefused", "d/.wh..."),
      bad("WhiteoutAsDirectoryNameIsRefused", ".wh.a/b"),
      bad("OpaqueAsDirectoryNameIsRefused", "d/.wh..wh..opq/b"),
      bad("WhiteoutOfAWhiteoutIsRefused", ".wh..wh.x"),
      {"WhiteoutThatIsADirectoryIsRefused",
       [](auto&) { return TarBuilder().dir(".wh.x").finish(); }, Errc::invalid_content},
      {"WhiteoutThatIsALinkIsRefused",
       [](auto& out) { return TarBuilder().symlink(".wh.x", out).finish(); },
       Errc::invalid_content},
      {"WhiteoutWithContentIsRefused",
       [](auto&) { return TarBuilder().file(".wh.x", "data").finish(); }, Errc::invalid_content},
      {"WhiteoutOfTheOwnFileKeepsIt",
       [](auto&) { return TarBuilder().file("a", "mine").file(".wh.a").finish(); },
       {},
       holds("a", "mine")},
      {"WhiteoutOfAMissingFileIsFine",
       [](auto&) { return TarBuilder().file("x/.wh.a").file("b", "b").finish(); },
       {},
       [](const std::string& root) { EXPECT_FALSE(exists(root + "/x")); }},
      {"AufsMetadataIsSkipped",
       [](auto&) {
         return TarBuilder()
             .dir(".wh..wh.plnk")
             .file(".wh..wh.plnk/1.2", "x")
             .file(".wh..wh.aufs")
             .finish();
       },
       {},
       [](const std::string& root) { EXPECT_FALSE(exists(root + "/.wh..wh.plnk")); }},
  };
}

std::vector<Case> node_cases() {
  return {
      {"CharacterDevice00IsRefused",
       [](auto&) { return TarBuilder().device("c", '3', 0, 0).finish(); }, Errc::invalid_content},
      {"DeviceNodeIsMadeAndNotOpened",
       [](auto&) { return TarBuilder().device("c", '3', 1, 5).finish(); },
       {},
       [](const std::string& root) { EXPECT_TRUE(S_ISCHR(lstat_of(root + "/c").st_mode)); }},
      {"FileOverADeviceReplacesIt",
       [](auto&) { return TarBuilder().device("c", '3', 1, 3).file("c", "data").finish(); },
       {},
       holds("c", "data")},
      {"FileOverAFifoReplacesIt",
       [](auto&) {
         return TarBuilder().raw({.name = "p", .type = '6'}).file("p", "data").finish();
       },
       {},
       holds("p", "data")},
      {"SetuidSurvivesChown",
       [](auto&) {
         return TarBuilder()
             .raw({.name = "s", .mode = 06755, .uid = 1000, .gid = 1000, .size = 1})
             .content("x")
             .finish();
       },
       {},
       [](const std::string& root) { EXPECT_EQ(lstat_of(root + "/s").st_mode & 07777U, 06755U); }},
      {"OverlayXattrsAreDropped",
       [](auto&) {
         return x_with(TarBuilder::record("SCHILY.xattr.trusted.overlay.redirect", "/etc") +
                           TarBuilder::record("SCHILY.xattr.user.overlay.opaque", "y") +
                           TarBuilder::record("SCHILY.xattr.trusted.overlay.metacopy", "") +
                           TarBuilder::record("SCHILY.xattr.user.kept", "1"),
                       TarBuilder().dir("d"));
       },
       {},
       [](const std::string& root) {
         const Snapshot tree = capture(open_dir(root));
         EXPECT_EQ(tree.at("d").attributes.xattrs,
                   (std::map<std::string, std::string>{{"user.kept", "1"}}));
         EXPECT_LT(::getxattr((root + "/d").c_str(), "trusted.overlay.redirect", nullptr, 0), 0);
         EXPECT_LT(::getxattr((root + "/d").c_str(), "user.overlay.opaque", nullptr, 0), 0);
       }},
      {"MalformedAclIsRefused",
       [](auto&) {
         return x_with(TarBuilder::record("SCHILY.xattr.system.posix_acl_access", "garbage"),
                       TarBuilder().file("f", "x"));
       },
       Errc::invalid_content},
      {"ForeignXattrNamespacesAreDropped",
       [](auto&) {
         return x_with(TarBuilder::record("SCHILY.xattr.com.apple.provenance", "x") +
                           TarBuilder::record("SCHILY.xattr.security.selinux", "x"),
                       TarBuilder().file("f", "in"));
       },
       {},
       holds("f", "in")},
      {"MalformedCapabilityIsRefused",
       [](auto&) {
         return x_with(TarBuilder::record("SCHILY.xattr.security.capability", "zz"),
                       TarBuilder().file("f", "x"));
       },
       Errc::io},
  };
}

std::vector<Case> duplicate_cases() {
  return {
      {"LastDuplicateWins",
       [](auto&) { return TarBuilder().file("a", "1").file("./a", "22").finish(); },
       {},
       holds("a", "22")},
      {"FileThenDirectoryReplaces",
       [](auto&) { return TarBuilder().file("a", "1").dir("a").file("a/b", "2").finish(); },
       {},
       holds("a/b", "2")},
      {"DirectoryThenFileReplaces",
       [](auto&) { return TarBuilder().dir("a").file("a/b", "2").file("a", "1").finish(); },
       {},
       holds("a", "1")},
      {"DuplicateOfAHardLinkLeavesTheOtherName",
       [](auto&) {
         return TarBuilder().file("a", "old").hardlink("b", "a").file("b", "new").finish();
       },
       {},
       holds("a", "old")},
  };
}

class HostileLayer : public ::testing::TestWithParam<Case> {};

void run_case(const Case& test, bool overlay) {
  const TempDir temp(temp_root());
  shell(temp.path(),
        "mkdir root outside; echo untouched > outside/canary; chmod 640 outside/canary");
  const std::string outside = temp.path() + "/outside";
  const std::string root = temp.path() + "/root";
  const std::string before = describe(open_dir(outside));
  const std::string layer = test.layer(outside);
  std::optional<Errc> refused;
  try {
    apply_to(root, layer, {.overlay_whiteouts = overlay});
  } catch (const Error& e) {
    refused = e.code();
    EXPECT_EQ(test.refused, refused) << e.what();
    EXPECT_EQ(std::string(e.what()).find_first_of("\n\x1b"), std::string::npos) << e.what();
  }
  EXPECT_EQ(test.refused, refused);
  EXPECT_EQ(describe(open_dir(outside)), before);
  EXPECT_EQ(sorted_list(temp.path()), "outside root ");
  if (test.check && !overlay) test.check(root);
}

TEST_P(HostileLayer, ChangesNothingOutsideAPlainTree) { run_case(GetParam(), false); }
TEST_P(HostileLayer, ChangesNothingOutsideAnOverlayTree) { run_case(GetParam(), true); }

std::string name_of(const ::testing::TestParamInfo<Case>& info) { return info.param.name; }

INSTANTIATE_TEST_SUITE_P(Paths, HostileLayer, ::testing::ValuesIn(path_cases()), name_of);
INSTANTIATE_TEST_SUITE_P(Links, HostileLayer, ::testing::ValuesIn(symlink_cases()), name_of);
INSTANTIATE_TEST_SUITE_P(HardLinks, HostileLayer, ::testing::ValuesIn(hardlink_cases()), name_of);
INSTANTIATE_TEST_SUITE_P(Whiteouts, HostileLayer, ::testing::ValuesIn(whiteout_cases()), name_of);
INSTANTIATE_TEST_SUITE_P(Nodes, HostileLayer, ::testing::ValuesIn(node_cases()), name_of);
INSTANTIATE_TEST_SUITE_P(Duplicates, HostileLayer, ::testing::ValuesIn(duplicate_cases()), name_of);

}  // namespace
}  // namespace lade
