#include "libimage/container/memory_tree.h"

#include <gmock/gmock.h>

#include "tests/container/fixture.h"

namespace lade {
namespace {

using Kind = MemoryTree::Found::Kind;
using testing::ElementsAre;

MemoryTree tree_of(std::vector<LayerEntry> entries) {
  return MemoryTree(std::make_shared<const std::vector<LayerEntry>>(std::move(entries)));
}

TEST(MemoryTree, FindsEntriesAndDirectoriesThatTheyImply) {
  const MemoryTree tree =
      tree_of({file_entry("a/b/c", "x"), dir_entry("a-b"), file_entry("a.b", "")});
  EXPECT_EQ(tree.find("").kind, Kind::implicit_directory);
  EXPECT_EQ(tree.find("a").kind, Kind::implicit_directory);
  EXPECT_EQ(tree.find("a/b").kind, Kind::implicit_directory);
  EXPECT_EQ(tree.find("a/b/c").kind, Kind::entry);
  EXPECT_EQ(tree.find("a-b").kind, Kind::entry);
  EXPECT_EQ(tree.find("a/b/d").kind, Kind::absent);
  EXPECT_EQ(tree.find("b").kind, Kind::absent);
  EXPECT_EQ(tree.find("a/b/c/d").kind, Kind::absent);
  EXPECT_THAT(tree.implicit_directories(), ElementsAre("a", "a/b"));
}

TEST(MemoryTree, ListsTheNamesOfADirectoryOnce) {
  const MemoryTree tree =
      tree_of({file_entry("a/b/c", "x"), file_entry("a/b/d", "x"), file_entry("a/b-c", "x"),
               file_entry("a/b.c", "x"), whiteout_entry("a/gone"), file_entry("b", "")});
  EXPECT_THAT(tree.children(""), ElementsAre("a", "b"));
  EXPECT_THAT(tree.children("a"), testing::UnorderedElementsAre("b", "b-c", "b.c", "gone"));
  EXPECT_THAT(tree.children("a/b"), ElementsAre("c", "d"));
  EXPECT_THAT(tree.children("b"), ElementsAre());
}

TEST(MemoryTree, KnowsWhiteoutsAndOpaqueDirectories) {
  const MemoryTree tree =
      tree_of({whiteout_entry("gone"), dir_entry("new"), opaque_entry("new"),
               whiteout_entry("replaced"), dir_entry("replaced"), whiteout_entry("in/gone")});
  EXPECT_EQ(tree.find("gone").kind, Kind::whiteout);
  EXPECT_TRUE(tree.find("new").opaque);
  EXPECT_EQ(tree.find("new").kind, Kind::entry);
  EXPECT_TRUE(tree.find("replaced").opaque);
  EXPECT_EQ(tree.find("replaced").kind, Kind::entry);
  EXPECT_EQ(tree.find("in").kind, Kind::hiding_directory);
}

TEST(MemoryTree, MarksOfADirectoryDoNotMakeIt) {
  const MemoryTree tree =
      tree_of({opaque_entry("emptied"), opaque_entry("filled"), file_entry("filled/x", ""),
               whiteout_entry("both"), opaque_entry("both")});
  EXPECT_EQ(tree.find("emptied").kind, Kind::hiding_directory);
  EXPECT_TRUE(tree.find("emptied").opaque);
  EXPECT_EQ(tree.find("filled").kind, Kind::implicit_directory);
  EXPECT_TRUE(tree.find("filled").opaque);
  EXPECT_EQ(tree.find("both").kind, Kind::whiteout);
}

TEST(MemoryTree, ShowsHardLinksAsTheFileThatTheyAre) {
  const MemoryTree tree = tree_of({file_entry("a", "text"), hardlink_entry("b", "a")});
  ASSERT_TRUE(tree.usable());
  ASSERT_EQ(tree.find("b").kind, Kind::entry);
  EXPECT_EQ(tree.find("b").entry, tree.find("a").entry);
}

TEST(MemoryTree, IsNotUsableWithHardLinksIntoLowerLayers) {
  EXPECT_FALSE(tree_of({hardlink_entry("b", "a")}).usable());
  EXPECT_FALSE(tree_of({hardlink_entry("a", "b"), hardlink_entry("b", "a")}).usable());
}

TEST(MemoryTree, TakesTheLastOfSeveralEntriesOfOneName) {
  const MemoryTree tree = tree_of({file_entry("a", "first"), file_entry("a", "second!")});
  EXPECT_EQ(tree.find("a").entry->attributes.size, 7U);
}

}  // namespace
}  // namespace lade
