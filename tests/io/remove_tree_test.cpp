#include <atomic>
#include <thread>

#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fixtures.h"

namespace lade {
namespace {

using namespace lade::testing;
namespace fs = std::filesystem;

class RemoveTree : public InTempDir {
 protected:
  /// A chain of `depth` directories below `top`, with a file in every tenth.
  void make_chain(const std::string& top, int depth) const {
    UniqueFd current(::open(at(top).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    for (int i = 0; i < depth; ++i) {
      ASSERT_EQ(::mkdirat(current.get(), "d", 0755), 0);
      if (i % 10 == 0) {
        ASSERT_EQ(::mknodat(current.get(), "file", S_IFREG | 0644, 0), 0);
        ASSERT_EQ(::mkdirat(current.get(), "empty", 0755), 0);
      }
      current.reset(::openat(current.get(), "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
      ASSERT_TRUE(current);
    }
  }
};

/// Runs `body` in a child process and returns its exit status: the child's limits and mounts end
/// with it.
template <typename Body>
int in_child(const Body& body) {
  const pid_t child = ::fork();
  if (child == 0) {
    int status = 1;
    try {
      status = body();
    } catch (const Error& e) {
      status = 100 + static_cast<int>(e.code());
    } catch (...) {
      status = 99;
    }
    ::_exit(status);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST_F(RemoveTree, RemovesFilesAndDirectories) {
  fs::create_directories(at("tree/a/b/c"));
  fs::create_directories(at("tree/d"));
  write("tree/a/file", "x");
  write("kept", "x");
  remove_tree(dir_, "tree");
  EXPECT_EQ(entries(), 1U);
  remove_tree(dir_, "kept");
  EXPECT_EQ(entries(), 0U);
}

TEST_F(RemoveTree, AbsentIsNoError) { remove_tree(dir_, "absent"); }

TEST_F(RemoveTree, NeverFollowsALink) {
  fs::create_directories(at("outside"));
  write("outside/kept", "x");
  fs::create_directories(at("tree"));
  fs::create_directory_symlink(at("outside"), at("tree/link"));
  fs::create_directory_symlink(at("outside"), at("link"));
  remove_tree(dir_, "tree");
  remove_tree(dir_, "link");
  EXPECT_TRUE(exists("outside/kept"));
  EXPECT_EQ(entries(), 1U);
}

TEST_F(RemoveTree, RemovesWhatMayNotBeWritten) {
  fs::create_directories(at("tree/a/b"));
  write("tree/a/b/file", "x");
  for (const char* name : {"tree/a/b", "tree/a", "tree"}) {
    fs::permissions(at(name), fs::perms::none);
  }
  // Without the rights of root, which ignore modes.
  ASSERT_EQ(::chown(at("tree/a/b").c_str(), 65534, 65534), 0);
  ASSERT_EQ(::chown(at("tree/a").c_str(), 65534, 65534), 0);
  ASSERT_EQ(::chown(at("tree").c_str(), 65534, 65534), 0);
  ASSERT_EQ(::chown(temp_.path().c_str(), 65534, 65534), 0);
  EXPECT_EQ(in_child([&] {
              if (::setresuid(65534, 65534, 65534) != 0) return 2;
              remove_tree(dir_, "tree");
              return 0;
            }),
            0);
  EXPECT_EQ(entries(), 0U);
}

TEST_F(RemoveTree, DepthCostsNoDescriptors) {
  fs::create_directories(at("tree"));
  make_chain("tree", 5000);
  EXPECT_EQ(in_child([&] {
              const rlimit few = {100, 100};
              if (::setrlimit(RLIMIT_NOFILE, &few) != 0) return 2;
              remove_tree(dir_, "tree");
              return 0;
            }),
            0);
  EXPECT_EQ(entries(), 0U);
}

TEST_F(RemoveTree, RemovesManyEntries) {
  fs::create_directories(at("tree"));
  for (int i = 0; i < 3000; ++i) write("tree/f" + std::to_string(i), "");
  for (int i = 0; i < 300; ++i) fs::create_directories(at("tree/d" + std::to_string(i) + "/e"));
  remove_tree(dir_, "tree");
  EXPECT_EQ(entries(), 0U);
}

TEST_F(RemoveTree, ContentsGoTheDirectoryStaysWithItsMode) {
  fs::create_directories(at("tree/a/b"));
  write("tree/file", "x");
  fs::permissions(at("tree"), fs::perms(0555));
  remove_contents(open_dir(at("tree")));
  EXPECT_TRUE(fs::is_empty(at("tree")));
  EXPECT_EQ(fs::status(at("tree")).permissions(), fs::perms(0555));
}

TEST_F(RemoveTree, NeverEntersAMount) {
  fs::create_directories(at("outside"));
  write("outside/kept", "x");
  fs::create_directories(at("tree/mount"));
  for (const std::string victim : {"tree", "tree/mount"}) {
    const int status = in_child([&] {
      if (::unshare(CLONE_NEWNS) != 0 || ::mount("", "/", "", MS_REC | MS_PRIVATE, nullptr) != 0 ||
          ::mount(at("outside").c_str(), at("tree/mount").c_str(), "", MS_BIND, nullptr) != 0) {
        return 2;
      }
      const fs::path path = at(victim);
      remove_tree(open_dir(path.parent_path()), path.filename());
      return 0;
    });
    EXPECT_EQ(status, 100 + static_cast<int>(Errc::denied)) << victim;
  }
  EXPECT_TRUE(exists("outside/kept"));
}

TEST_F(RemoveTree, DirectorySwappedForALinkMeanwhileLeadsNowhere) {
  fs::create_directories(at("outside/d"));
  write("outside/kept", "x");
  write("outside/d/kept", "x");
  std::atomic<bool> stop = false;
  fs::create_directories(at("tree"));
  fs::create_directory_symlink(at("outside"), at("link"));
  std::jthread swapper([&] {
    while (!stop) {
      ::rename(at("tree/x").c_str(), at("aside").c_str());
      ::rename(at("link").c_str(), at("tree/x").c_str());
      ::rename(at("tree/x").c_str(), at("link").c_str());
      ::rename(at("aside").c_str(), at("tree/x").c_str());
    }
  });
  for (int i = 0; i < 300; ++i) {
    std::error_code ignored;
    fs::create_directories(at("tree/x/d"), ignored);
    try {
      remove_tree(dir_, "tree");
    } catch (const Error&) {
      // Something appeared behind the walk.
    }
    fs::create_directories(at("tree"));
  }
  stop = true;
  swapper.join();
  EXPECT_TRUE(exists("outside/kept"));
  EXPECT_TRUE(exists("outside/d/kept"));
}

}  // namespace
}  // namespace lade
