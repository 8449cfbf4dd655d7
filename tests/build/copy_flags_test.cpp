// COPY and ADD with --link, --parents, --exclude and symbolic --chmod.
#include <sys/stat.h>
#include <unistd.h>

#include "tests/build/fixture.h"

namespace lade::build {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Key;
using testing::Not;
using testing::Pair;

class CopyFlags : public BuildTest {
 protected:
  std::map<std::string, std::string> tree_of(const std::string& text) { return tree(build(text)); }
  std::vector<std::string> paths_of(const std::string& text) {
    std::vector<std::string> out;
    for (const auto& [path, what] : tree_of(text)) out.push_back(path);
    return out;
  }
};

TEST_F(CopyFlags, ExcludeLeavesOutWhatItMatchesBelowEachSource) {
  for (const char* path : {"d/a.txt", "d/b.md", "d/sub/c.txt", "d/sub/d.md", "hom.txt", "home.png"})
    file(path, "x");
  EXPECT_THAT(paths_of("FROM scratch\nCOPY --exclude=*.txt d /c/"),
              ElementsAre("c", "c/b.md", "c/sub", "c/sub/c.txt", "c/sub/d.md"));
  EXPECT_THAT(paths_of("FROM scratch\nCOPY --exclude=**/*.txt --exclude=b.md d /c/"),
              ElementsAre("c", "c/sub", "c/sub/d.md"));
  EXPECT_THAT(paths_of("FROM scratch\nCOPY --exclude=sub --exclude=!sub/d.md d /c/"),
              ElementsAre("c", "c/a.txt", "c/b.md", "c/sub", "c/sub/d.md"));
  EXPECT_THAT(paths_of("FROM scratch\nCOPY --exclude=*.txt hom* /c/"),
              ElementsAre("c", "c/home.png"));
  EXPECT_THAT(error_of("FROM scratch\nCOPY --exclude=[ d /c/").what(), HasSubstr("bad [class]"));
}

TEST_F(CopyFlags, ExcludedFilesAreNotInTheKey) {
  file("d/a", "1");
  file("d/b", "1");
  const std::string text = "FROM scratch\nCOPY --exclude=b d /c/";
  build(text);
  file("d/b", "2");
  EXPECT_EQ(build(text).cached_steps, 1U);
  file("d/a", "2");
  EXPECT_EQ(build(text).cached_steps, 0U);
}

TEST_F(CopyFlags, ParentsKeepTheNamesFromThePivotOn) {
  for (const char* path : {"x/a.txt", "x/y/b.txt", "x/y/z/c.txt", "x/y/z/d.md", "other/e.txt"})
    file(path, "x");
  ASSERT_EQ(::chmod(cat(context_path(), "/x/y").c_str(), 0700), 0);
  EXPECT_THAT(tree_of("FROM scratch\nCOPY --parents x/a.txt x/y/b.txt /p/"),
              ElementsAre(Key("p"), Key("p/x"), Key("p/x/a.txt"), Pair("p/x/y", "d 700 0:0"),
                          Key("p/x/y/b.txt")));
  EXPECT_THAT(paths_of("FROM scratch\nCOPY --parents x/./y/*/c.txt /p/"),
              ElementsAre("p", "p/y", "p/y/z", "p/y/z/c.txt"));
  EXPECT_THAT(paths_of("FROM scratch\nCOPY --parents ./x/./y/z /p/"),
              ElementsAre("p", "p/y", "p/y/z", "p/y/z/c.txt", "p/y/z/d.md"));
  EXPECT_THAT(
      paths_of("FROM scratch\nCOPY --parents --exclude=x/y/z **/*.txt /p/"),
      ElementsAre("p", "p/other", "p/other/e.txt", "p/x", "p/x/a.txt", "p/x/y", "p/x/y/b.txt"));
  EXPECT_THAT(error_of("FROM scratch\nCOPY --parents x/none /p/").what(),
              HasSubstr("there is no 'x/none'"));
}

TEST_F(CopyFlags, SymbolicModesChangeEachFile) {
  file("d/run", "x", 0700);
  file("d/read", "x", 0600);
  ASSERT_EQ(::symlink("run", cat(context_path(), "/d/link").c_str()), 0);
  EXPECT_THAT(tree_of("FROM scratch\nARG M=go=rX\nCOPY --chmod=u+w,$M d /made/here/"),
              ElementsAre(Pair("made", "d 755 0:0"), Pair("made/here", "d 755 0:0"),
                          Pair("made/here/link", "-> run"), Pair("made/here/read", "f 644 0:0 x"),
                          Pair("made/here/run", "f 755 0:0 x")));
  EXPECT_THAT(error_of("FROM scratch\nCOPY --chmod=u+q d /d").what(),
              HasSubstr("Containerfile:2: "));
}

TEST_F(CopyFlags, LinkedLayersDependOnNothingBelow) {
  file("f", "x");
  file("base", "1");
  const std::string copy = "COPY --link f /a/b/\n";
  build(cat("FROM scratch\nCOPY base /x\n", copy));
  file("base", "2");
  const BuildResult again = build(cat("FROM scratch\nCOPY base /x\n", copy));
  EXPECT_EQ(again.cached_steps, 1U);
  EXPECT_THAT(tree(again), ElementsAre(Key("a"), Key("a/b"), Key("a/b/f"), Key("x")));
}

TEST_F(CopyFlags, LinkedLayersFollowNoLinksAndSeeNoOwners) {
  file("f", "x");
  file("d/real/keep", "");
  ASSERT_EQ(::symlink("real", cat(context_path(), "/d/link").c_str()), 0);
  const auto found = tree_of("FROM scratch\nCOPY d /\nCOPY --link f /link/f\n");
  EXPECT_THAT(found, Contains(Pair("link", "d 755 0:0")));
  EXPECT_THAT(found, Contains(Key("link/f")));
  EXPECT_THAT(found, Not(Contains(Key("real/f"))));
  EXPECT_THAT(error_of("FROM scratch\nCOPY --link --chown=web f /").what(), HasSubstr("'web'"));
}

TEST_F(CopyFlags, AnAbsentSourceMayBeLeftOutWhereExtensionsAreAllowed) {
  file("f", "x");
  const std::string text = "FROM scratch\nCOPY --lade-optional f none no/such*/x /d/";
  EXPECT_THAT(error_of(text).what(), HasSubstr("allow it with --extensions"));
  EXPECT_THAT(tree(build(text, [](BuildOptions& o) { o.extensions = true; })),
              ElementsAre(Key("d"), Key("d/f")));
}

}  // namespace
}  // namespace lade::build
