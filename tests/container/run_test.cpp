#include <atomic>
#include <thread>

#include <gmock/gmock.h>

#include "libimage/compress/codec.h"
#include "libimage/layer/apply_layer.h"

#include "tests/container/fixture.h"

namespace lade {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::Not;

enum class Way { overlay, copies };

class StepsTest : public ContainerTest {
 protected:
  RootFs make_root(Way way) {
    RootFs root(store_, {.force_copies = way == Way::copies});
    root.push(base_);
    return root;
  }

  std::optional<LayerResult> run(RootFs& root, const std::string& script,
                                 const LayerOptions& options = {}) {
    sandbox::RuntimeConfig step = sandbox::default_config();
    step.process.args = {"/bin/sh", "-ec", script};
    step.process.env = {"PATH=/bin"};
    StringSink output;
    try {
      auto result = root.run(std::move(step), *runner_, output, options, {});
      output_ = output.text();
      return result;
    } catch (const Error&) {
      output_ = output.text();
      throw;
    }
  }

  /// The entries of a layer, as its tar has them: "path", or "path -> target" for links.
  std::vector<std::string> entries_of(const LayerResult& result) {
    const auto tar = decompressed(store_.images().open(result.blob));
    TarReader reader(*tar);
    std::vector<std::string> found;
    while (const auto entry = reader.next()) {
      const std::string& target = entry->kind == LayerEntry::Kind::hardlink
                                      ? entry->link_to
                                      : entry->attributes.link_target;
      const std::string path = clean_path(entry->path);
      found.push_back(target.empty() ? path : cat(path, " -> ", target));
    }
    return found;
  }

  RootFsLayer base_ = layer(busybox_root(), plain());
  std::unique_ptr<sandbox::StepRunner> runner_ = sandbox::builtin_runner();
  std::string output_;
};

class RunTest : public StepsTest, public testing::WithParamInterface<Way> {
 protected:
  RootFs make_root() { return StepsTest::make_root(GetParam()); }
};

INSTANTIATE_TEST_SUITE_P(Ways, RunTest, testing::Values(Way::overlay, Way::copies),
                         [](const auto& way) {
                           return way.param == Way::overlay ? "Overlay" : "Copies";
                         });

TEST_P(RunTest, AStepThatChangesNothingMakesNoLayer) {
  RootFs root = make_root();
  EXPECT_FALSE(run(root, "true; cat /etc/passwd > /dev/null"));
  EXPECT_EQ(root.layers().size(), 1U);
}

TEST_P(RunTest, TakesAddedChangedAndRemovedFilesAsALayer) {
  RootFs root = make_root();
  const auto result = run(root, "echo new > /home/new; echo more >> /etc/passwd; rm /bin/rmdir");
  ASSERT_TRUE(result);
  const auto entries = entries_of(*result);
  for (const char* path : {"home/new", "etc/passwd", "bin/.wh.rmdir"}) {
    EXPECT_THAT(entries, Contains(path));
  }
  EXPECT_THAT(entries, Not(Contains("bin/busybox")));
  EXPECT_THAT(entries, Not(Contains("tmp")));
  EXPECT_EQ(root.layers().size(), 2U);
  EXPECT_EQ(root.layers().back().diff_id, result->diff_id);
  EXPECT_EQ(root.read_small("home/new", 100), "new\n");
  EXPECT_EQ(root.read_small("etc/passwd", 100), "root:x:0:0::/:/bin/sh\nmore\n");
  EXPECT_FALSE(root.lookup("bin/rmdir"));
}

TEST_P(RunTest, LaterStepsSeeWhatEarlierOnesDid) {
  RootFs root = make_root();
  ASSERT_TRUE(run(root, "mkdir /home/d; echo 1 > /home/d/one; ln /home/d/one /home/d/again"));
  ASSERT_TRUE(run(root, "cat /home/d/again; rm -r /home/d; mkdir /home/d; echo 2 > /home/d/two"));
  EXPECT_EQ(output_, "1\n");
  ASSERT_TRUE(run(root, "ls /home/d; rm -r /home/d; echo file > /home/d"));
  EXPECT_EQ(output_, "two\n");
  EXPECT_FALSE(run(root, "cat /home/d"));
  EXPECT_EQ(output_, "file\n");
  EXPECT_EQ(root.layers().size(), 4U);
  EXPECT_EQ(root.lookup("home/d")->type, FileType::regular);
}

TEST_P(RunTest, AFailingStepLeavesTheTreeAsItWas) {
  RootFs root = make_root();
  try {
    run(root, "echo x > /home/half; echo told; exit 42");
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), Errc::command_failed);
    EXPECT_EQ(std::get<ExitDetail>(e.detail()).status, 42);
  }
  EXPECT_EQ(output_, "told\n");
  EXPECT_EQ(root.layers().size(), 1U);
  EXPECT_FALSE(root.lookup("home/half"));
  EXPECT_FALSE(run(root, "cat /home/half 2> /dev/null && exit 1 || true"));
}

TEST_P(RunTest, SeesLayersThatWereOnlyAdded) {
  RootFs root = make_root();
  root.add({dir_entry("app"), file_entry("app/data", "from a list"),
            hardlink_entry("app/data2", "app/data"), whiteout_entry("etc/passwd")},
           {});
  ASSERT_TRUE(run(root, "cat /app/data2; cp /app/data /app/copy; cat /etc/passwd && exit 1; true"));
  EXPECT_THAT(output_, testing::HasSubstr("from a list"));
  EXPECT_EQ(root.read_small("app/copy", 100), "from a list");
  EXPECT_THAT(root.list("app"), ElementsAre("copy", "data", "data2"));
}

TEST_P(RunTest, StepsSeeTheTimesThatTheLayerHolds) {
  RootFs root = make_root();
  const Timestamp epoch{.seconds = 1'700'000'000};
  ASSERT_TRUE(
      run(root, "mkdir /home/d; echo x > /home/d/f; ln -s f /home/d/l", {.clamp_mtime = epoch}));
  ASSERT_TRUE(run(root, "ls -ln /home/d; touch -r /home/d/f /home/reference"));
  for (const char* path : {"home/d", "home/d/f", "home/d/l", "home/reference"}) {
    EXPECT_EQ(root.lookup(path)->mtime, epoch) << path;
  }
}

TEST_P(RunTest, RunsOnADeepStack) {
  RootFs root = make_root();
  for (int i = 0; i < 60; ++i) {
    push(root, {dir_entry("home"), file_entry(cat("home/f", i), cat(i)),
                file_entry("home/same", cat("version ", i))});
  }
  ASSERT_TRUE(run(root, "cat /home/f0 /home/f59 /home/same; rm /home/f30; : > /home/done"));
  EXPECT_EQ(output_, "059version 59");
  EXPECT_EQ(root.list("home").size(), 61U);
  EXPECT_FALSE(root.lookup("home/f30"));
}

TEST_P(RunTest, ChangesTheRootDirectoryItself) {
  RootFs root = make_root();
  ASSERT_TRUE(run(root, "chmod 700 /"));
  EXPECT_EQ(root.lookup("")->mode, 0700U);
  EXPECT_FALSE(run(root, "ls -ld / > /dev/null"));
  root.add({file_entry("x", "")}, {});
  ASSERT_TRUE(run(root, "rm x"));
  EXPECT_EQ(root.lookup("")->mode, 0700U);
}

using BothWaysTest = StepsTest;

TEST_F(BothWaysTest, OverlayAndCopiesMakeTheSameLayer) {
  const LayerOptions options{.clamp_mtime = Timestamp{.seconds = 1'650'000'000}};
  const std::vector<std::string> steps = {
      "echo a > /home/a; mkdir -p /home/d/e/f; ln /home/a /home/d/b; ln -s ../a /home/d/l",
      "rm /home/a; echo b >> /home/d/b; chmod 4755 /home/d/e; chown 5:6 /home/d/e/f",
      "rm -r /home/d/e; mkdir /home/d/g; echo new > /home/d/g/x",
      "mv /home/d /home/moved; mkfifo /home/pipe",
      "rm -r /home/moved; echo now a file > /home/moved; rm /bin/rmdir; rm -r /etc",
      "touch /home/moved; chmod 600 /home/pipe",
      "mkdir -p /home/o/sub/deep /home/o/old; for f in keep gone sub/x sub/y sub/deep/z old/o; do "
      "echo $f > /home/o/$f; done; ln /home/o/gone /home/o/link",
      "cp -a /home/o /tmp/o; rm -r /home/o; mkdir /home/o; cp -a /tmp/o/keep /tmp/o/sub /home/o; "
      "rm /home/o/sub/y; echo new > /home/o/new; rm -r /tmp/o",
      "rm -r /home/o; mkdir /home/o; echo file > /home/o/sub",
      "rm -r /home/o; mkdir /home/o",
  };
  RootFs overlay = make_root(Way::overlay);
  RootFs copies = make_root(Way::copies);
  for (const std::string& step : steps) {
    SCOPED_TRACE(step);
    const auto one = run(overlay, step, options);
    const auto other = run(copies, step, options);
    ASSERT_TRUE(one && other);
    EXPECT_EQ(one->diff_id, other->diff_id);
    EXPECT_EQ(entries_of(*one), entries_of(*other));
    if (HasFailure()) return;
  }
  EXPECT_EQ(walk(overlay), walk(copies));
}

TEST_F(BothWaysTest, TheSnapshotOfAStepIsWhatItsLayerUnpacksTo) {
  const LayerOptions options{.clamp_mtime = Timestamp{.seconds = 1'650'000'000}};
  RootFs root = make_root(Way::overlay);
  ASSERT_TRUE(run(root, "mkdir /home/d; echo x > /home/d/x; rm /bin/rmdir; rm -r /etc; mkdir /etc",
                  options));
  const auto seen = walk(root);
  // The same layers without the snapshot: whole trees are unpacked from the blobs.
  RootFs unpacked(store_, {.force_copies = true});
  for (const RootFsLayer& one : root.layers()) unpacked.push(one);
  EXPECT_EQ(walk(unpacked), seen);
}

TEST_F(BothWaysTest, AStackDeeperThanOverlayfsTakesIsMergedBelow) {
  RootFs root(store_, {.merge_every = 4});
  root.push(base_);
  for (int i = 0; i < 20; ++i) {
    root.push(layer({dir_entry("home"), file_entry(cat("home/f", i), cat(i))}));
    if (i > 0) root.push(layer({dir_entry("home"), whiteout_entry(cat("home/f", i - 1))}));
  }
  ASSERT_TRUE(run(root, "ls /home; echo x > /home/new"));
  EXPECT_EQ(output_, "f19\n");
  EXPECT_THAT(root.list("home"), ElementsAre("f19", "new"));
}

TEST_F(BothWaysTest, ManyThreadsUnpackOneStack) {
  RootFs root(store_);
  root.push(base_);
  push(root, {dir_entry("home"), file_entry("home/f", "x")});
  std::vector<std::jthread> threads;
  std::atomic<int> right = 0;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&right, copy = root]() mutable {
      if (copy.read_small("home/f", 10) == "x" && copy.lookup("bin/busybox")) ++right;
    });
  }
  threads.clear();
  EXPECT_EQ(right, 4);
}

}  // namespace
}  // namespace lade
