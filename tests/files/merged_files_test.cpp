// Layers merged row by row, and the waste between them.
#include "libimage/files/merged_files.h"

#include <deque>

#include <gtest/gtest.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/files/layer_files.h"

#include "tests/support/tar_builder.h"

namespace lade::files {
namespace {

using testing::TarBuilder;

class Stack {
 public:
  explicit Stack(MergedFiles::Below below = MergedFiles::Below::nothing) : files_(pool_, below) {}

  Stack& add(const TarBuilder& tar) {
    const std::string bytes = tar.finish();
    StringSource source(bytes);
    layers_.emplace_back();
    scan_layer(source, pool_, layers_.back());
    files_.add(layers_.back(), static_cast<std::uint32_t>(layers_.size() - 1));
    return *this;
  }
  /// All paths that show, with the layer that shows them.
  [[nodiscard]] std::string shown() const {
    std::string out;
    files_.walk(kRoot, [&](PathId path) {
      if (path == kRoot) return true;
      const auto layer = files_.owner(path);
      out += cat(out.empty() ? "" : " ", pool_.paths.path(path), ":",
                 layer ? cat(*layer) : std::string("-"));
      return true;
    });
    return out;
  }
  [[nodiscard]] const MergedFiles& files() const { return files_; }
  [[nodiscard]] std::string found(std::string_view path) const {
    const MergedFiles::Found found = files_.find(path, MergedFiles::Last::follow);
    return cat(found.path == kNoPath ? std::string("none") : pool_.paths.path(found.path),
               found.certain ? "" : "?");
  }

 private:
  FilePool pool_;
  std::deque<LayerFiles> layers_;
  MergedFiles files_;
};

TEST(MergedFiles, WhiteoutsHideWhatLowerLayersHaveWhateverTheirPlace) {
  Stack stack;
  stack.add(TarBuilder().dir("a/").file("a/x", "1").file("a/y", "2").dir("b/").file("b/z", "3"));
  stack.add(TarBuilder().file("a/.wh.x").file("a/x", "new").file("a/.wh.y").file(".wh.b"));
  EXPECT_EQ(stack.shown(), "a:0 a/x:1");
}

TEST(MergedFiles, OpaqueDirectoriesKeepTheirOwn) {
  Stack stack;
  stack.add(TarBuilder().dir("d/").file("d/old", "1").dir("d/sub/").file("d/sub/old", "1"));
  stack.add(TarBuilder().file("d/new", "2").file("d/.wh..wh..opq").file("d/sub/own", "3"));
  EXPECT_EQ(stack.shown(), "d:0 d/new:1 d/sub:- d/sub/own:1");
}

TEST(MergedFiles, FollowsLinksOnTheWayToAnEntry) {
  Stack stack;
  stack.add(TarBuilder().dir("usr/").dir("usr/lib/").symlink("lib", "usr/lib"));
  stack.add(TarBuilder().file("lib/x", "1"));
  EXPECT_EQ(stack.shown(), "lib:0 usr:0 usr/lib:0 usr/lib/x:1");
  EXPECT_EQ(stack.found("/lib/../lib/x"), "usr/lib/x");
}

TEST(MergedFiles, AFileTakesThePlaceOfADirectoryWithAllBelow) {
  Stack stack;
  stack.add(TarBuilder().dir("d/").file("d/x", "1"));
  stack.add(TarBuilder().file("d", "2"));
  stack.add(TarBuilder().dir("d/").file("d/y", "3"));
  EXPECT_EQ(stack.shown(), "d:2 d/y:2");
}

TEST(MergedFiles, HardLinksAreOtherNamesOfOneContent) {
  Stack stack;
  stack.add(TarBuilder().file("a", "1").hardlink("b", "a"));
  stack.add(TarBuilder().file("a", "22"));
  const MergedFiles& files = stack.files();
  const PathId b = files.find("b", MergedFiles::Last::keep).path;
  ASSERT_NE(files.at(b), nullptr);
  EXPECT_EQ(files.at(b)->size, 1U);
  EXPECT_EQ(files.at(files.find("a", MergedFiles::Last::keep).path)->size, 2U);
}

TEST(MergedFiles, RefusesWhatUnpackingRefuses) {
  const auto refused = [](const TarBuilder& first, const TarBuilder& second) {
    try {
      Stack().add(first).add(second);
    } catch (const Error& e) {
      return e.code() == Errc::invalid_content;
    }
    return false;
  };
  EXPECT_TRUE(refused(TarBuilder().file("f", "1"), TarBuilder().file("f/x", "2")));
  EXPECT_TRUE(refused(TarBuilder(), TarBuilder().hardlink("a", "missing")));
  EXPECT_TRUE(refused(TarBuilder().symlink("l", "l"), TarBuilder().file("l/x", "1")));
  EXPECT_TRUE(refused(TarBuilder(), TarBuilder().file(".wh..wh.x")));
}

TEST(MergedFiles, LinksThatLeadInCirclesAreRefused) {
  Stack stack;
  stack.add(TarBuilder().symlink("a", "b").symlink("b", "/a").symlink("up", "../../up2/x"));
  EXPECT_THROW((void)stack.found("a"), Error);
  EXPECT_EQ(stack.found("up"), "none");
  EXPECT_EQ(stack.found("../../.."), "");
}

TEST(MergedFiles, KnowsWhatLayersBelowCannotChange) {
  Stack stack(MergedFiles::Below::unknown);
  stack.add(TarBuilder()
                .dir("etc/")
                .file("etc/x", "1")
                .file("etc/.wh.gone")
                .dir("o/")
                .file("o/.wh..wh..opq"));
  EXPECT_EQ(stack.found("etc/x"), "etc/x");
  EXPECT_EQ(stack.found("etc/gone"), "none");
  EXPECT_EQ(stack.found("etc/gone/below"), "none");
  EXPECT_EQ(stack.found("o/anything"), "none");
  EXPECT_EQ(stack.found("etc/other"), "none?");
  EXPECT_EQ(stack.found("etc/x/below"), "none");
}

TEST(MergedFiles, IsUncertainWhereADirectoryMayBeALink) {
  Stack stack(MergedFiles::Below::unknown);
  stack.add(TarBuilder().file("lib/x", "1"));
  EXPECT_EQ(stack.found("lib/x"), "lib/x?");
}

TEST(LayerIndex, GivesBackWhatWasWritten) {
  const std::string pax = TarBuilder::record("SCHILY.xattr.user.note", std::string("\x01\0", 2)) +
                          TarBuilder::record("mtime", "-5.25");
  const std::string tar = TarBuilder()
                              .dir("d/", 01777)
                              .file("d/.wh.gone")
                              .file("d/.wh..wh..opq")
                              .pax(pax)
                              .file("d/x", "content", 04755)
                              .hardlink("d/y", "d/x")
                              .symlink("l", "../d")
                              .device("null", '3', 1, 3)
                              .finish();
  FilePool pool;
  LayerFiles layer;
  StringSource source(tar);
  scan_layer(source, pool, layer);
  const std::string bytes = write_index(layer, pool);
  FilePool other;
  const std::optional<LayerFiles> read = read_index(bytes, other);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->content_bytes, 7U);
  EXPECT_EQ(write_index(*read, other), bytes);
  ASSERT_EQ(read->rows.size(), 7U);
  EXPECT_EQ(read->rows[3].mtime, -6);
  EXPECT_EQ(other.xattrs(read->rows[3].xattrs).size(), 1U);
  std::string damaged = bytes;
  damaged[damaged.size() / 2] ^= 1;
  EXPECT_FALSE(read_index(damaged, other));
  EXPECT_FALSE(read_index(bytes.substr(0, bytes.size() - 1), other));
}

}  // namespace
}  // namespace lade::files
