#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/stat.h>

#include "libimage/digest/hasher.h"

#include "tests/container/fixture.h"

namespace lade {
namespace {

using testing::ElementsAre;

class LookupTest : public ContainerTest {
 protected:
  [[nodiscard]] bool is_unpacked(const RootFs& root) {
    return store_.unpacked(*root.chain()).has_value() ||
           store_.unpacked(*root.chain(), SnapshotForm::whole).has_value();
  }
  std::string text_of(RootFs& root, const std::string& path) {
    return root.read_small(path, 1000).value_or("(absent)");
  }
};

TEST_F(LookupTest, SeesAnEmptyRoot) {
  RootFs root(store_);
  EXPECT_FALSE(root.chain());
  EXPECT_EQ(root.lookup("")->type, FileType::directory);
  EXPECT_FALSE(root.lookup("etc"));
  EXPECT_THAT(root.list(""), ElementsAre());
  EXPECT_EQ(root.resolve("a/../b"), "b");
}

TEST_F(LookupTest, SeesAnAddedLayerWithoutUnpackingIt) {
  RootFs root(store_);
  root.add({dir_entry("app", 0700), file_entry("app/main", "text"), link_entry("run", "app/main")},
           {});
  EXPECT_EQ(root.lookup("app")->mode, 0700U);
  EXPECT_EQ(root.lookup("run")->type, FileType::symlink);
  EXPECT_EQ(text_of(root, "run"), "text");
  EXPECT_THAT(root.list("app"), ElementsAre("main"));
  EXPECT_EQ(root.content("run").text, root.content("app/main").text);
  EXPECT_FALSE(is_unpacked(root));
}

TEST_F(LookupTest, TouchesLowerLayersOnlyWhereTheUpperOnesDoNotTell) {
  RootFs root(store_);
  push(root, {dir_entry("etc"), file_entry("etc/issue", "base")});
  RootFs base = root;
  root.add({dir_entry("etc"), file_entry("etc/motd", "upper")}, {});
  EXPECT_EQ(text_of(root, "etc/motd"), "upper");
  EXPECT_FALSE(is_unpacked(base));
  EXPECT_EQ(text_of(root, "etc/issue"), "base");
  EXPECT_TRUE(is_unpacked(base));
  EXPECT_FALSE(is_unpacked(root));
}

TEST_F(LookupTest, TakesAttributesOfAnImpliedDirectoryFromBelow) {
  RootFs root(store_);
  push(root, {dir_entry("etc", 0711)});
  root.add({file_entry("etc/motd", "upper"), file_entry("new/file", "")}, {});
  EXPECT_EQ(root.lookup("etc")->mode, 0711U);
  EXPECT_EQ(root.lookup("new")->mode, 0755U);
}

TEST_F(LookupTest, UnpacksAListWhoseEntriesLieBehindALink) {
  RootFs root(store_);
  push(root, {dir_entry("usr"), dir_entry("usr/lib"), link_entry("lib", "usr/lib")});
  root.add({file_entry("lib/new", "through the link")}, {});
  EXPECT_EQ(root.lookup("lib")->type, FileType::symlink);
  EXPECT_EQ(text_of(root, "usr/lib/new"), "through the link");
  EXPECT_EQ(text_of(root, "lib/new"), "through the link");
}

TEST_F(LookupTest, FollowsLinksInsideTheRoot) {
  RootFs root(store_);
  push(root,
       {dir_entry("a"), dir_entry("a/b"), file_entry("a/b/f", "found"), link_entry("abs", "/a/b"),
        link_entry("up", "../../../a"), link_entry("a/b/back", "../../abs/f"),
        link_entry("dangling", "a/none/x"), link_entry("slash", "/")});
  EXPECT_EQ(root.resolve("abs/f"), "a/b/f");
  EXPECT_EQ(root.resolve("up/b/back"), "a/b/f");
  EXPECT_EQ(root.resolve("abs"), "a/b");
  EXPECT_EQ(root.resolve("abs", false), "abs");
  EXPECT_EQ(root.resolve("up/b/back", false), "a/b/back");
  EXPECT_EQ(root.resolve("dangling"), "a/none/x");
  EXPECT_EQ(root.resolve("dangling/y/../z"), "a/none/x/z");
  EXPECT_EQ(root.resolve("a/none/../b/back"), "a/b/f");
  EXPECT_EQ(root.resolve("slash"), "");
  EXPECT_EQ(root.resolve("slash/slash/abs"), "a/b");
  EXPECT_EQ(root.resolve("a/b/f/under/a/file"), "a/b/f/under/a/file");
  EXPECT_EQ(text_of(root, "up/b/back"), "found");
  EXPECT_FALSE(root.lookup("a/b/f/under"));
}

TEST_F(LookupTest, RefusesLinksThatNeverEnd) {
  RootFs root(store_);
  push(root, {link_entry("a", "b"), link_entry("b", "a"), link_entry("grow", "grow/x")});
  for (const char* path : {"a", "a/x", "grow"}) {
    try {
      root.resolve(path);
      ADD_FAILURE() << path;
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), Errc::invalid_content) << e.what();
    }
  }
}

TEST_F(LookupTest, ReadsOnlySmallRegularFiles) {
  RootFs root(store_);
  push(root, {dir_entry("d"), file_entry("f", "12345"), link_entry("l", "f")});
  EXPECT_EQ(root.read_small("l", 5), "12345");
  EXPECT_FALSE(root.read_small("d", 5));
  EXPECT_FALSE(root.read_small("none", 5));
  EXPECT_THROW(root.read_small("f", 4), Error);
  EXPECT_THROW(root.content("d"), Error);
  EXPECT_THROW(root.content("none"), Error);
  EXPECT_THROW(root.list("f"), Error);
}

TEST_F(LookupTest, TakesContentFromTheLayerWhereTheContextFileIsGone) {
  const std::string context = temp_.path() + "/context";
  const auto dir = std::make_shared<const DirFd>(create_dir(context));
  {
    const UniqueFd file = open_entry(*dir, "f", O_WRONLY | O_CREAT, 0644);
    ASSERT_EQ(::write(file.get(), "bytes", 5), 5);
  }
  LayerEntry entry = file_entry("f", "bytes");
  entry.content = {.root = dir, .path = "f"};
  RootFs root(store_);
  root.add({entry}, {});
  EXPECT_EQ(root.content("f").root, dir);
  remove_tree(*dir, "f");
  EXPECT_EQ(text_of(root, "f"), "bytes");
  EXPECT_NE(root.content("f").root, dir);
}

TEST_F(LookupTest, SeesTheTimesThatTheLayerHolds) {
  RootFs root(store_);
  const Timestamp epoch{.seconds = 1000};
  root.add({file_entry("f", "x")}, {.clamp_mtime = epoch});
  EXPECT_EQ(root.lookup("f")->mtime, epoch);
  RootFs again(store_);
  again.push(root.layers().front());
  EXPECT_EQ(again.lookup("f")->mtime, epoch);
}

TEST_F(LookupTest, ACopyGoesItsOwnWay) {
  RootFs root(store_);
  root.add({file_entry("a", "1")}, {});
  RootFs copy = root;
  copy.add({file_entry("b", "2")}, {});
  EXPECT_EQ(root.layers().size(), 1U);
  EXPECT_EQ(copy.layers().size(), 2U);
  EXPECT_FALSE(root.lookup("b"));
  EXPECT_TRUE(copy.lookup("a"));
  root = copy;
  EXPECT_TRUE(root.lookup("b"));
}

TEST_F(LookupTest, RefusesALayerThatIsNotWhatTheConfigPromises) {
  RootFs root(store_);
  RootFsLayer lying = layer({file_entry("f", "x")});
  lying.diff_id = layer({file_entry("f", "y")}).diff_id;
  root.push(lying);
  try {
    root.lookup("f");
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), Errc::digest_mismatch) << e.what();
  }
  EXPECT_FALSE(is_unpacked(root));
}

TEST_F(LookupTest, PublishesNothingOfALayerThatIsRefused) {
  const auto hostile = [&](std::string_view tar) {
    auto writer = store_.images().start_blob({});
    writer->write(bytes_of(tar));
    writer->finish();
    return RootFsLayer{writer->commit(std::string(oci::kImageLayer)), DiffId{sha256_of(tar)}};
  };
  StringSink good;
  write_tar(std::vector<LayerEntry>{file_entry("ok", "x")}, good, {});
  std::string broken = good.text();
  broken[150] = static_cast<char>(broken[150] ^ 1);  // the header's checksum
  for (const std::string& tar : {broken, good.text().substr(0, 600)}) {
    RootFs root(store_);
    root.push(hostile(tar));
    EXPECT_THROW(root.lookup("ok"), Error);
    EXPECT_FALSE(is_unpacked(root));
  }
  const DirFd snapshots = open_dir(store_.path() + "/snapshots");
  struct stat st {};
  ASSERT_EQ(::fstat(snapshots.get(), &st), 0);
  EXPECT_EQ(st.st_nlink, 2U) << "a snapshot was published";
}

TEST_F(LookupTest, ASocketThatAStepLeftHidesWhatItReplaced) {
  RootFs root(store_);
  push(root, {dir_entry("d"), file_entry("d/x", "x"), file_entry("d/y", "y")});
  auto workspace = store_.workspace();
  ASSERT_EQ(::mkdir((workspace->fs_path() + "/d").c_str(), 0755), 0);
  ASSERT_EQ(::mknod((workspace->fs_path() + "/d/x").c_str(), S_IFSOCK | 0600, 0), 0);
  const RootFsLayer step = layer({whiteout_entry("d/x")});
  store_.publish(std::move(workspace), root.chain(), step.diff_id);
  root.push(step);
  EXPECT_THAT(root.list("d"), ElementsAre("y"));
  EXPECT_FALSE(root.lookup("d/x"));
}

}  // namespace
}  // namespace lade
