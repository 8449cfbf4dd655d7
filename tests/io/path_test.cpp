#include "libimage/io/path.h"

#include <atomic>
#include <set>
#include <thread>

#include <unistd.h>

#include "fixtures.h"

namespace lade {
namespace {

using namespace lade::testing;
namespace fs = std::filesystem;

/// A root with a secret beside it that no path may reach.
class PathInRoot : public InTempDir {
 protected:
  PathInRoot() {
    fs::create_directories(at("root/a/b"));
    fs::create_directories(at("outside"));
    write("outside/secret", "secret");
    write("root/a/file", "inside");
    root_ = open_dir(at("root"));
  }
  [[nodiscard]] std::string read(std::string_view path) const {
    FdSource source(open_in_root(root_, path, O_RDONLY), std::string(path));
    return read_all(source, 1000, path);
  }
  /// Where the parent that was found is, relative to the temporary directory.
  [[nodiscard]] std::string place_of(const DirFd& dir) const {
    return fs::relative(fs::read_symlink(proc_path(dir.get())), fs::canonical(temp_.path()));
  }
  DirFd root_;
};

TEST_F(PathInRoot, OpensWhatIsInside) {
  EXPECT_EQ(read("a/file"), "inside");
  EXPECT_EQ(read("/a/file"), "inside");
  EXPECT_EQ(read("a/b/../file"), "inside");
  EXPECT_EQ(read("./a//file"), "inside");
}

TEST_F(PathInRoot, ClampsDotDotAtTheRoot) {
  EXPECT_EQ(read("../../../a/file"), "inside");
  EXPECT_EQ(failure_of([&] { (void)read("../outside/secret"); }), Errc::not_found);
}

TEST_F(PathInRoot, ResolvesLinksInsideTheRoot) {
  fs::create_symlink("/a", at("root/absolute"));
  fs::create_symlink("../../../../a", at("root/a/b/climbing"));
  fs::create_symlink(at("outside"), at("root/leaving"));
  fs::create_symlink("../outside/secret", at("root/stealing"));
  EXPECT_EQ(read("absolute/file"), "inside");
  EXPECT_EQ(read("a/b/climbing/file"), "inside");
  EXPECT_EQ(failure_of([&] { (void)read("leaving/secret"); }), Errc::not_found);
  EXPECT_EQ(failure_of([&] { (void)read("stealing"); }), Errc::not_found);
}

TEST_F(PathInRoot, FollowsNoMagicLink) {
  const DirFd proc = open_dir("/proc");
  const UniqueFd held(::open(at("outside").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  const std::string path = "self/fd/" + std::to_string(held.get()) + "/secret";
  EXPECT_FALSE(try_open_in_root(proc, path, O_RDONLY));
}

TEST_F(PathInRoot, EndlessLinksAreAnError) {
  fs::create_symlink("loop", at("root/loop"));
  EXPECT_NE(failure_of([&] { (void)read("loop"); }), std::nullopt);
  EXPECT_NE(failure_of([&] { (void)open_parent_in_root(root_, "loop/x", true); }), std::nullopt);
}

TEST_F(PathInRoot, FailureLeavesErrnoAndNothing) {
  EXPECT_FALSE(try_open_in_root(root_, "absent", O_RDONLY));
  EXPECT_EQ(errno, ENOENT);
  EXPECT_FALSE(try_open_in_root(root_, std::string("a\0b", 3), O_RDONLY));
  EXPECT_EQ(errno, EINVAL);
}

TEST_F(PathInRoot, TakesPathsLongerThanTheSystemsLimit) {
  std::string path;
  for (int i = 0; i < 30; ++i) path += std::string(200, 'd') + "/";
  ASSERT_GT(path.size(), 4096U);
  const ParentAndName found = open_parent_in_root(root_, path + "file", true);
  const UniqueFd file = open_entry(found.parent, "file", O_WRONLY | O_CREAT, 0644);
  FdSink(file.get(), "file").write(bytes_of("deep"));
  EXPECT_EQ(read(path + "file"), "deep");
  EXPECT_FALSE(try_open_in_root(root_, path + "other", O_RDONLY));
  EXPECT_EQ(errno, ENOENT);
}

TEST_F(PathInRoot, ParentIsFoundWithTheName) {
  const ParentAndName found = open_parent_in_root(root_, "/a/./b//new");
  EXPECT_EQ(place_of(found.parent), "root/a/b");
  EXPECT_EQ(found.name, "new");
  EXPECT_EQ(open_parent_in_root(root_, "a/b/").name, "b");
  EXPECT_EQ(place_of(open_parent_in_root(root_, "top").parent), "root");
}

TEST_F(PathInRoot, ParentOfTheRootIsTheRootWithoutAName) {
  for (const std::string_view path : {"", "/", ".", "..", "a/..", "../../"}) {
    const ParentAndName found = open_parent_in_root(root_, path);
    EXPECT_EQ(found.name, "") << path;
    EXPECT_EQ(place_of(found.parent), "root") << path;
  }
}

TEST_F(PathInRoot, ParentIsFoundThroughLinksInsideTheRoot) {
  fs::create_symlink("/a/b", at("root/absolute"));
  fs::create_symlink("../../../a", at("root/climbing"));
  fs::create_symlink(at("outside"), at("root/leaving"));
  fs::create_symlink("../..", at("root/a/b/up"));
  EXPECT_EQ(place_of(open_parent_in_root(root_, "absolute/x").parent), "root/a/b");
  EXPECT_EQ(place_of(open_parent_in_root(root_, "climbing/b/x").parent), "root/a/b");
  EXPECT_EQ(place_of(open_parent_in_root(root_, "absolute/up/a/x").parent), "root/a");
  EXPECT_EQ(failure_of([&] { (void)open_parent_in_root(root_, "leaving/x"); }), Errc::not_found);
}

TEST_F(PathInRoot, LastComponentIsNotFollowed) {
  fs::create_symlink("/a", at("root/link"));
  const ParentAndName found = open_parent_in_root(root_, "link");
  EXPECT_EQ(place_of(found.parent), "root");
  EXPECT_EQ(found.name, "link");
}

TEST_F(PathInRoot, MissingParentsAreMadeAndReported) {
  std::string made;
  const ParentAndName found = open_parent_in_root(
      root_, "a/x/y/z/file", true, [&](const DirFd& parent, const std::string& name) {
        made += place_of(parent) + ":" + name + " ";
      });
  EXPECT_EQ(place_of(found.parent), "root/a/x/y/z");
  EXPECT_EQ(made, "root/a:x root/a/x:y root/a/x/y:z ");
}

TEST_F(PathInRoot, MissingParentsAreNotMadeUnlessAsked) {
  EXPECT_EQ(failure_of([&] { (void)open_parent_in_root(root_, "a/x/file"); }), Errc::not_found);
  EXPECT_FALSE(exists("root/a/x"));
}

TEST_F(PathInRoot, MissingParentsBehindALinkThatLeadsNowhereAreRefused) {
  fs::create_symlink("/nowhere", at("root/dangling"));
  EXPECT_NE(failure_of([&] { (void)open_parent_in_root(root_, "dangling/x", true); }),
            std::nullopt);
  EXPECT_FALSE(exists("root/nowhere"));
  EXPECT_FALSE(fs::exists("/nowhere"));
}

TEST_F(PathInRoot, FileInPlaceOfAParentIsRefused) {
  EXPECT_NE(failure_of([&] { (void)open_parent_in_root(root_, "a/file/x", true); }), std::nullopt);
  EXPECT_EQ(content_of("root/a/file"), "inside");
}

TEST_F(PathInRoot, TooManyComponentsAreRefused) {
  std::string path;
  for (int i = 0; i < 1001; ++i) path += "d/";
  EXPECT_EQ(failure_of([&] { (void)open_parent_in_root(root_, path, true); }),
            Errc::limit_exceeded);
  EXPECT_FALSE(exists("root/d"));
}

/// Runs `body` while another thread swaps root/x between a directory and a link that leaves.
template <typename Body>
void while_swapping(const std::string& root, const std::string& outside, const Body& body) {
  fs::create_directories(root + "/dir");
  fs::create_directory_symlink(outside, root + "/link");
  fs::rename(root + "/dir", root + "/x");
  std::atomic<bool> stop = false;
  std::jthread swapper([&] {
    while (!stop) {
      ::rename((root + "/x").c_str(), (root + "/dir").c_str());
      ::rename((root + "/link").c_str(), (root + "/x").c_str());
      ::rename((root + "/x").c_str(), (root + "/link").c_str());
      ::rename((root + "/dir").c_str(), (root + "/x").c_str());
    }
  });
  body();
  stop = true;
}

TEST_F(PathInRoot, RacingLinkNeverLeadsOutside) {
  int opened = 0;
  while_swapping(at("root"), at("outside"), [&] {
    for (int i = 0; i < 5000; ++i) {
      EXPECT_FALSE(try_open_in_root(root_, "x/secret", O_RDONLY));
      try {
        const ParentAndName found = open_parent_in_root(root_, "x/new", true);
        ++opened;
        struct stat outside {};
        struct stat parent {};
        ASSERT_EQ(::stat(at("outside").c_str(), &outside), 0);
        ASSERT_EQ(::fstat(found.parent.get(), &parent), 0);
        ASSERT_NE(parent.st_ino, outside.st_ino);
      } catch (const Error&) {
        // Caught between two names, or at the link: refused, as it must be.
      }
    }
  });
  EXPECT_GT(opened, 0);
  EXPECT_EQ(std::distance(fs::directory_iterator(at("outside")), {}), 1);
}

TEST_F(PathInRoot, OpenEntryRefusesLinks) {
  fs::create_symlink("a", at("root/link"));
  EXPECT_NE(failure_of([&] { (void)open_entry(root_, "link", O_RDONLY); }), std::nullopt);
  EXPECT_EQ(failure_of([&] { (void)open_entry(root_, "absent", O_RDONLY); }), Errc::not_found);
}

TEST_F(PathInRoot, StatEntryTellsTheEntryItself) {
  fs::create_symlink("a", at("root/link"));
  EXPECT_TRUE(S_ISLNK(stat_entry(root_, "link")->st_mode));
  EXPECT_TRUE(S_ISDIR(stat_entry(root_, "a")->st_mode));
  EXPECT_EQ(stat_entry(root_, "absent"), std::nullopt);
}

TEST_F(PathInRoot, ReadFileRefusesWhatIsNoRegularFile) {
  ASSERT_EQ(::mkfifo(at("root/fifo").c_str(), 0600), 0);
  fs::create_symlink("a/file", at("root/link"));
  EXPECT_EQ(failure_of([&] { (void)read_file_at(root_, "fifo", 100); }), Errc::invalid_content);
  EXPECT_EQ(failure_of([&] { (void)read_file(at("root/fifo"), 100); }), Errc::invalid_content);
  EXPECT_EQ(failure_of([&] { (void)read_file_at(root_, "a", 100); }), Errc::invalid_content);
  EXPECT_NE(failure_of([&] { (void)read_file_at(root_, "link", 100); }), std::nullopt);
  EXPECT_EQ(read_file(at("root/link"), 100), "inside");
  EXPECT_EQ(read_file_at(root_, "a/file", 6), "inside");
  EXPECT_EQ(failure_of([&] { (void)read_file_at(root_, "a/file", 5); }), Errc::limit_exceeded);
}

TEST_F(PathInRoot, CreateDirMakesEveryParent) {
  const DirFd made = create_dir(at("x/y/z"));
  EXPECT_EQ(place_of(made), "x/y/z");
  EXPECT_EQ(place_of(create_dir(at("x/y/z"))), "x/y/z");
  EXPECT_EQ(place_of(create_dir(at("x/y/w/"))), "x/y/w");
  EXPECT_NE(failure_of([&] { (void)create_dir(at("root/a/file/x")); }), std::nullopt);
}

TEST(CleanPath, IsLexical) {
  EXPECT_EQ(clean_path(""), "");
  EXPECT_EQ(clean_path("/"), "");
  EXPECT_EQ(clean_path("./a//b/./c/"), "a/b/c");
  EXPECT_EQ(clean_path("a/../../b"), "b");
  EXPECT_EQ(clean_path("../.."), "");
  EXPECT_EQ(clean_path("..a/b.."), "..a/b..");
}

TEST(RandomName, IsNeverTheSame) {
  std::set<std::string> names;
  for (int i = 0; i < 1000; ++i) names.insert(random_name(12));
  EXPECT_EQ(names.size(), 1000U);
  for (const std::string& name : names) {
    EXPECT_EQ(name.size(), 12U);
    EXPECT_EQ(name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789"), std::string::npos);
  }
}

TEST(TempDir, IsPrivateAndRemovedWithItsContent) {
  std::string path;
  {
    TempDir dir(fs::temp_directory_path(), "lade-test-");
    path = dir.path();
    EXPECT_EQ(fs::status(path).permissions(), fs::perms::owner_all);
    fs::create_directories(path + "/a/b");
    const TempDir moved(std::move(dir));
    EXPECT_EQ(moved.path(), path);
    EXPECT_TRUE(fs::exists(path));
  }
  EXPECT_FALSE(fs::exists(path));
}

}  // namespace
}  // namespace lade
