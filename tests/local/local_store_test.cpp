#include "libimage/local/local_store.h"

#include <chrono>
#include <csignal>
#include <fstream>
#include <functional>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/digest/hasher.h"
#include "libimage/io/path.h"
#include "libimage/local/session.h"

namespace lade {
namespace {

std::string temp_root() {
  const char* given = std::getenv("TMPDIR");
  return given != nullptr ? given : "/tmp";
}

void write_file(const std::string& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

bool exists(const std::string& path) { return ::access(path.c_str(), F_OK) == 0; }

DiffId diff_id_of(std::string_view text) { return DiffId{sha256_of(text)}; }

/// A child process that runs `body` and exits without running the parent's destructors.
pid_t spawn(const std::function<void()>& body) {
  const pid_t child = ::fork();
  if (child != 0) return child;
  try {
    body();
  } catch (...) {
    ::_exit(1);
  }
  ::_exit(0);
}

int exit_status(pid_t child) {
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

class LocalStoreTest : public testing::Test {
 protected:
  TempDir temp_{temp_root()};
  std::string path_ = temp_.path() + "/store";

  [[nodiscard]] std::vector<std::string> names_in(const std::string& part) const {
    return names_of(open_dir(cat(path_, "/", part)));
  }
  [[nodiscard]] std::size_t entries_in(const std::string& part) const {
    return names_in(part).size();
  }
};

TEST_F(LocalStoreTest, MakesAPrivateDirectoryThatIsAnImageLayout) {
  const LocalStore store(path_);
  struct stat st {};
  ASSERT_EQ(::stat(path_.c_str(), &st), 0);
  EXPECT_EQ(st.st_mode & 07777U, 0700U);
  for (const char* part : {"oci-layout", "index.json", "blobs", "snapshots", "steps", "tmp"}) {
    EXPECT_TRUE(exists(path_ + "/" + part)) << part;
  }
}

TEST_F(LocalStoreTest, RefusesADirectoryThatHoldsSomethingElse) {
  ASSERT_EQ(::mkdir(path_.c_str(), 0755), 0);
  write_file(path_ + "/thesis.tex", "years of work");
  EXPECT_THROW(LocalStore{path_}, Error);
  EXPECT_EQ(entries_in("."), 1U);
}

TEST_F(LocalStoreTest, CanBeMadeByManyProcessesAtOnce) {
  std::vector<pid_t> children;
  for (int i = 0; i < 8; ++i) {
    children.push_back(spawn([&] {
      LocalStore store(path_);
      auto workspace = store.workspace();
      write_file(workspace->fs_path() + "/f", "same");
      store.publish(std::move(workspace), std::nullopt, diff_id_of("base"));
    }));
  }
  for (const pid_t child : children) EXPECT_EQ(exit_status(child), 0);
  EXPECT_EQ(entries_in("snapshots"), 1U);
  EXPECT_EQ(entries_in("tmp"), 0U);
}

TEST_F(LocalStoreTest, PublishesASnapshotUnderItsChainId) {
  LocalStore store(path_);
  const DiffId base = diff_id_of("base");
  const DiffId upper = diff_id_of("upper");
  const ChainId chain = chain_id(ChainId{base.value}, upper);
  EXPECT_FALSE(store.unpacked(chain));
  auto workspace = store.workspace();
  const std::string room = workspace->path();
  write_file(workspace->fs_path() + "/f", "x");
  const UnpackedLayer made = store.publish(std::move(workspace), ChainId{base.value}, upper);
  EXPECT_EQ(made.chain, chain);
  EXPECT_FALSE(exists(room));
  const auto found = store.unpacked(chain);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->fs_path, made.fs_path);
  EXPECT_EQ(read_file(found->fs_path + "/f", 10), "x");
  EXPECT_FALSE(exists(path_ + "/snapshots/" + std::string(chain.value.encoded()) + "/work"));
  EXPECT_FALSE(store.unpacked(chain, SnapshotForm::whole));
}

TEST_F(LocalStoreTest, KeepsTheFirstOfTwoEqualSnapshots) {
  LocalStore store(path_);
  auto first = store.workspace();
  auto second = store.workspace();
  write_file(first->fs_path() + "/f", "1");
  write_file(second->fs_path() + "/f", "2");
  const auto one = store.publish(std::move(first), std::nullopt, diff_id_of("x"));
  const auto two = store.publish(std::move(second), std::nullopt, diff_id_of("x"));
  EXPECT_EQ(one.fs_path, two.fs_path);
  EXPECT_EQ(read_file(two.fs_path + "/f", 10), "1");
}

TEST_F(LocalStoreTest, TakesSnapshotsOfAnEarlierBootForAbsentAndReplacesThem) {
  LocalStore store(path_);
  auto workspace = store.workspace();
  const auto made = store.publish(std::move(workspace), std::nullopt, diff_id_of("x"));
  const std::string record =
      path_ + "/snapshots/" + std::string(made.chain.value.encoded()) + "/record";
  std::string text = read_file(record, 4096);
  const std::size_t at = text.find("boot ") + 5;
  text.replace(at, text.find('\n', at) - at, "0000-1111");
  write_file(record, text);
  EXPECT_FALSE(store.unpacked(made.chain));
  workspace = store.workspace();
  write_file(workspace->fs_path() + "/new", "");
  const auto again = store.publish(std::move(workspace), std::nullopt, diff_id_of("x"));
  EXPECT_TRUE(exists(again.fs_path + "/new"));
  EXPECT_TRUE(store.unpacked(made.chain));
}

TEST_F(LocalStoreTest, TakesADamagedSnapshotRecordForAbsent) {
  LocalStore store(path_);
  const auto made = store.publish(store.workspace(), std::nullopt, diff_id_of("x"));
  const std::string dir = path_ + "/snapshots/" + std::string(made.chain.value.encoded());
  write_file(dir + "/record", "");
  EXPECT_FALSE(store.unpacked(made.chain));
}

TEST_F(LocalStoreTest, LeavesNothingInTmpWhenClosed) {
  {
    LocalStore store(path_);
    const auto workspace = store.workspace();
    write_file(workspace->fs_path() + "/f", "x");
    write_file(store.temp_path() + "/download", "x");
    EXPECT_EQ(entries_in("tmp"), 1U);
  }
  EXPECT_EQ(entries_in("tmp"), 0U);
}

TEST_F(LocalStoreTest, SweepsWhatAKilledProcessLeft) {
  const pid_t child = spawn([&] {
    LocalStore store(path_);
    const auto workspace = store.workspace();
    write_file(workspace->fs_path() + "/f", "x");
    ::kill(::getpid(), SIGKILL);
  });
  EXPECT_EQ(exit_status(child), 128 + SIGKILL);
  EXPECT_EQ(entries_in("tmp"), 1U);
  const LocalStore store(path_);
  EXPECT_EQ(entries_in("tmp"), 0U);
}

TEST_F(LocalStoreTest, DoesNotSweepWhatALivingProcessUses) {
  int to_parent[2];
  int to_child[2];
  ASSERT_EQ(::pipe(to_parent), 0);
  ASSERT_EQ(::pipe(to_child), 0);
  const pid_t child = spawn([&] {
    LocalStore store(path_);
    auto workspace = store.workspace();
    write_file(workspace->fs_path() + "/f", "mine");
    char byte = 0;
    if (::write(to_parent[1], "x", 1) != 1 || ::read(to_child[0], &byte, 1) != 1) ::_exit(2);
    store.publish(std::move(workspace), std::nullopt, diff_id_of("theirs"));
  });
  char byte = 0;
  ASSERT_EQ(::read(to_parent[0], &byte, 1), 1);
  LocalStore store(path_);
  EXPECT_EQ(entries_in("tmp"), 1U);
  ASSERT_EQ(::write(to_child[1], "x", 1), 1);
  EXPECT_EQ(exit_status(child), 0);
  EXPECT_TRUE(store.unpacked(ChainId{diff_id_of("theirs").value}));
  for (const int fd : {to_parent[0], to_parent[1], to_child[0], to_child[1]}) ::close(fd);
}

TEST_F(LocalStoreTest, StaysValidWhenWritersAreKilledAtRandomMoments) {
  for (int round = 0; round < 40; ++round) {
    const pid_t child = spawn([&] {
      LocalStore store(path_);
      for (int i = 0;; ++i) {
        auto workspace = store.workspace();
        for (int file = 0; file < 20; ++file) {
          write_file(cat(workspace->fs_path(), "/f", file), "whole");
        }
        const DiffId id = diff_id_of(cat(round, " ", i));
        store.publish(std::move(workspace), std::nullopt, id);
        store.put_step({.key = std::string(id.value.encoded()), .note = std::string(5000, 'n')});
      }
    });
    std::this_thread::sleep_for(std::chrono::microseconds(500 + 271 * round));
    ::kill(child, SIGKILL);
    EXPECT_EQ(exit_status(child), 128 + SIGKILL);
  }
  LocalStore store(path_);
  EXPECT_EQ(entries_in("tmp"), 0U);
  for (const std::string& name : names_in("snapshots")) {
    const std::string dir = cat(path_, "/snapshots/", name);
    const ChainId chain{Digest::parse("sha256:" + name)};
    ASSERT_TRUE(store.unpacked(chain)) << name;
    for (int file = 0; file < 20; ++file) {
      EXPECT_EQ(read_file(cat(dir, "/fs/f", file), 100), "whole");
    }
  }
  for (const std::string& name : names_in("steps")) {
    if (name.starts_with(".")) continue;  // prune() sweeps these
    const auto step = store.step(name);
    ASSERT_TRUE(step) << name;
    EXPECT_EQ(step->note.size(), 5000U);
  }
}

TEST_F(LocalStoreTest, KeepsStepResultsForOtherProcesses) {
  const std::string key(64, 'c');
  EXPECT_EQ(
      exit_status(spawn([&] { LocalStore(path_).put_step({.key = key, .note = "from a child"}); })),
      0);
  LocalStore store(path_);
  const auto step = store.step(key);
  ASSERT_TRUE(step);
  EXPECT_EQ(step->note, "from a child");
  EXPECT_FALSE(store.step(std::string(64, 'd')));
}

TEST_F(LocalStoreTest, TakesAStepWhoseBlobIsGoneForAMiss) {
  LocalStore store(path_);
  const std::string key(64, 'c');
  auto writer = store.images().start_blob({});
  writer->write(bytes_of("layer"));
  writer->finish();
  const auto blob = writer->commit(std::string(oci::kImageLayer));
  store.put_step({.key = key, .layer = blob, .diff_id = diff_id_of("layer")});
  ASSERT_TRUE(store.step(key));
  EXPECT_EQ(store.step(key)->layer, blob);
  store.images().remove_blob(blob.digest);
  EXPECT_FALSE(store.step(key));
}

TEST_F(LocalStoreTest, TakesADamagedStepForAMiss) {
  LocalStore store(path_);
  const std::string key(64, 'c');
  store.put_step({.key = key});
  write_file(path_ + "/steps/" + key, std::string(100, '\0'));
  EXPECT_FALSE(store.step(key));
  write_file(path_ + "/steps/" + key, std::string(3U << 20U, 'x'));
  EXPECT_FALSE(store.step(key));
}

TEST_F(LocalStoreTest, RefusesStepResultsThatItCouldNotReadBack) {
  LocalStore store(path_);
  EXPECT_THROW(store.put_step({.key = "../x"}), Error);
  EXPECT_THROW(store.step("../../../../../etc/passwd"), Error);
  EXPECT_THROW(store.put_step({.key = std::string(64, 'a'), .diff_id = diff_id_of("x")}), Error);
  EXPECT_THROW(
      store.put_step({.key = std::string(64, 'a'), .note = std::string((1U << 20U) + 1, 'x')}),
      Error);
}

TEST(DefaultStorePath, FollowsTheXdgSpecification) {
  EXPECT_EQ(default_store_path(0, "/data", "/root"), "/var/lib/lade");
  EXPECT_EQ(default_store_path(1000, "/data", "/home/u"), "/data/lade");
  EXPECT_EQ(default_store_path(1000, "", "/home/u"), "/home/u/.local/share/lade");
  EXPECT_EQ(default_store_path(1000, "relative", "/home/u"), "/home/u/.local/share/lade");
  EXPECT_THROW(default_store_path(1000, "", ""), Error);
}

}  // namespace
}  // namespace lade
