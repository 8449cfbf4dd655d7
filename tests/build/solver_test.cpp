// What runs at the same time, what runs once, what is fetched when: with a runner that runs
// nothing.
#include <atomic>
#include <latch>
#include <set>
#include <thread>

#include "tests/build/fixture.h"

namespace lade::build {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

/// Calls a function for each step, which may write into the tree.
class FakeRunner final : public sandbox::StepRunner {
 public:
  using Step = std::function<int(const std::string& command, const DirFd& tree, Sink& output)>;
  explicit FakeRunner(Step step) : step_(std::move(step)) {}
  sandbox::StepStatus run(const sandbox::RuntimeConfig& config, const sandbox::StepCall& call,
                          const std::stop_token& /*stop*/) override {
    const DirFd tree =
        open_dir(config.root.overlay ? config.root.overlay->upper : config.root.path);
    {
      const std::scoped_lock lock(mutex_);
      commands_.push_back(config.process.args.back());
    }
    return {.exit_status = step_(config.process.args.back(), tree, call.output)};
  }
  std::vector<std::string> commands() const {
    const std::scoped_lock lock(mutex_);
    return commands_;
  }

 private:
  Step step_;
  mutable std::mutex mutex_;
  std::vector<std::string> commands_;  // guarded by mutex_
};

void write_file(const DirFd& tree, const std::string& name, const std::string& text) {
  AtomicFile out(tree, name, 0644);
  out.write(bytes_of(text));
  out.commit();
}

class Solving : public BuildTest {
 protected:
  Solving() { file("f", "x"); }
  FakeRunner& fake(FakeRunner::Step step) {
    auto runner = std::make_unique<FakeRunner>(std::move(step));
    FakeRunner& out = *runner;
    runner_ = std::move(runner);
    return out;
  }
  /// Each command makes a file of its name.
  FakeRunner& fake_files() {
    return fake([](const std::string& command, const DirFd& tree, Sink&) {
      write_file(tree, command, command);
      return 0;
    });
  }
};

TEST_F(Solving, IndependentStagesRunAtTheSameTime) {
  std::latch both(2);
  fake([&](const std::string&, const DirFd&, Sink&) {
    both.arrive_and_wait();
    return 0;
  });
  build(
      "FROM scratch AS a\nCOPY f /f\nRUN a\nFROM scratch AS b\nCOPY f /g\nRUN b\nFROM scratch\n"
      "COPY --from=a /f /f\nCOPY --from=b /g /g\n",
      [](BuildOptions& o) { o.jobs = 2; });
}

TEST_F(Solving, AStageWaitsForAnotherOnlyAtTheStepThatNeedsIt) {
  std::latch both(2);
  fake([&](const std::string&, const DirFd&, Sink&) {
    both.arrive_and_wait();
    return 0;
  });
  build(
      "FROM scratch AS a\nCOPY f /f\nRUN a\nFROM scratch\nCOPY f /g\nRUN b\nCOPY --from=a /f /h\n",
      [](BuildOptions& o) { o.jobs = 2; });
}

TEST_F(Solving, EqualStepsOfDifferentStagesRunOnce) {
  const FakeRunner& runner = fake_files();
  const std::string text =
      "FROM scratch AS a\nCOPY f /f\nRUN same\nRUN a\nFROM scratch AS b\nCOPY f /f\nRUN same\nRUN "
      "b\nFROM scratch\nCOPY --from=a / /a/\nCOPY --from=b / /b/\n";
  for (const bool no_cache : {false, true}) {
    const BuildResult result = build(text, [&](BuildOptions& o) {
      o.jobs = 2;
      o.no_cache = no_cache;
    });
    EXPECT_EQ(result.steps, 8U);
    EXPECT_EQ(result.cached_steps, 2U);
  }
  EXPECT_THAT(runner.commands(), testing::UnorderedElementsAre("same", "a", "b", "same", "a", "b"));
}

TEST_F(Solving, EqualStepsOfOneStageEachRun) {
  const FakeRunner& runner = fake([](const std::string&, const DirFd&, Sink&) { return 0; });
  const std::string text =
      "FROM scratch AS a\nCOPY f /f\nRUN same\nRUN same\nFROM a\nRUN same\nRUN other\nRUN same\n";
  const std::vector<std::string> all = {"same", "same", "same", "other", "same"};
  build(text);
  EXPECT_EQ(runner.commands(), all);
  EXPECT_EQ(build(text).cached_steps, 6U);
  EXPECT_EQ(runner.commands(), all);
  build(text, [](BuildOptions& o) { o.no_cache = true; });
  EXPECT_EQ(runner.commands().size(), 2 * all.size());
}

TEST_F(Solving, EqualStepsOnACacheMountEachAddToIt) {
  const std::string adding =
      "RUN --mount=type=cache,target=/c busybox sh -c 'busybox echo x >> /c/f'\n";
  const auto text = [&](const std::string& lines) {
    return cat(shell_base(), adding, adding,
               "RUN --mount=type=cache,target=/c test \"$(busybox wc -l < /c/f)\" = ", lines, "\n");
  };
  build(text("2"));
  build(text("4"), [](BuildOptions& o) { o.no_cache = true; });
}

TEST_F(Solving, WithoutCacheAStepIsSharedOnlyWithWhatCameTheSameWay) {
  const FakeRunner& runner = fake([](const std::string&, const DirFd&, Sink&) { return 0; });
  const auto stage = [](const std::string& name, const std::string& steps) {
    return cat("FROM scratch AS ", name, "\nCOPY f /f\n", steps);
  };
  build(cat(stage("a", "RUN first\nRUN same\n"), stage("b", "RUN same\n"),
            stage("c", "RUN first\nRUN same\n"),
            "FROM scratch\nCOPY --from=a / /a/\nCOPY --from=b / /b/\nCOPY --from=c / /c/\n"),
        [](BuildOptions& o) { o.no_cache = true; });
  EXPECT_THAT(runner.commands(), testing::UnorderedElementsAre("first", "same", "same"));
}

TEST_F(Solving, AStepWithTheSameOutputLetsTheNextOnesHit) {
  fake([](const std::string&, const DirFd& tree, Sink&) {
    write_file(tree, "out", "the same");
    return 0;
  });
  const auto text = [](const std::string& first) {
    return cat("FROM scratch\nCOPY f /f\nRUN ", first, "\nRUN next\n");
  };
  const auto options = [](BuildOptions& o) { o.source_date_epoch = Timestamp{1, 0}; };
  build(text("one"), options);
  EXPECT_EQ(build(text("two"), options).cached_steps, 2U);  // COPY, and RUN next
}

/// Two builds at once on one store, by two users of it.
struct OtherBuild {
  LocalStore store;
  RecordingObserver observer;
  std::string error;
  std::uint64_t cached = 0;
  OtherBuild(const std::string& path, const std::string& context, const std::string& text,
             sandbox::StepRunner& runner)
      : store(path) {
    const BuildOptions options{.context = context, .containerfile_text = text};
    try {
      cached =
          build::build(options,
                       {.store = store,
                        .runner = runner,
                        .resolve = [](const std::string&, const oci::Platform&) -> ResolvedBase {
                          throw Error(Errc::not_found, "no");
                        },
                        .observer = observer},
                       {})
              .cached_steps;
    } catch (const Error& e) {
      error = e.what();
    }
  }
};

TEST_F(Solving, TwoBuildsOnOneStoreShareAStepThatIsRunning) {
  std::latch begun(1);
  std::latch other_waits(1);
  std::atomic<int> runs = 0;
  fake([&](const std::string& command, const DirFd& tree, Sink&) {
    write_file(tree, "out", command);
    if (++runs == 1) {
      begun.count_down();
      other_waits.wait();
    }
    return 0;
  });
  const std::string text = "FROM scratch\nCOPY f /f\nRUN slow\n";
  std::uint64_t cached = 0;
  std::jthread other([&] {
    begun.wait();
    // Its steps begin while ours runs; it gets there, finds the step taken and waits.
    std::jthread release([&] { other_waits.count_down(); });
    cached = OtherBuild(store_.path(), context_path(), text, *runner_).cached;
  });
  build(text);
  other.join();
  EXPECT_EQ(runs, 1);
  EXPECT_EQ(cached, 2U);
}

TEST_F(Solving, ABuildGoesOnWhenTheOneItWaitsForFails) {
  std::latch begun(1);
  std::atomic<int> runs = 0;
  fake([&](const std::string&, const DirFd&, Sink&) {
    if (++runs > 1) return 0;
    begun.count_down();
    return 9;
  });
  const std::string text = "FROM scratch\nCOPY f /f\nRUN step\n";
  std::string error = "none";
  std::jthread other([&] {
    begun.wait();
    error = OtherBuild(store_.path(), context_path(), text, *runner_).error;
  });
  EXPECT_EQ(error_of(text).code(), Errc::command_failed);
  other.join();
  EXPECT_EQ(error, "");
  EXPECT_EQ(runs, 2);
}

/// Counts what is read of a layout.
class CountingReader final : public Reader {
 public:
  explicit CountingReader(LayoutStore& images) : images_(images) {}
  std::optional<oci::Descriptor> resolve(const TagOrDigest& reference) override {
    return images_.resolve(reference);
  }
  std::atomic<int> layers = 0;

 protected:
  std::unique_ptr<Source> do_open(const oci::Descriptor& blob) override {
    if (!oci::is_manifest(blob.media_type) && !oci::is_image_config(blob.media_type)) ++layers;
    return images_.open(blob);
  }

 private:
  LayoutStore& images_;
};

TEST_F(Solving, LayersOfABaseAreFetchedWhenAStepNeedsThem) {
  LocalStore remote(room_.path() + "/remote");
  const auto build_on = [&](LocalStore& store, const std::string& text, const BaseResolver& find) {
    const BuildOptions options{
        .context = context_path(), .containerfile_text = text, .names = {"base"}};
    return lade::build::build(
        options, {.store = store, .runner = *runner_, .resolve = find, .observer = observer_}, {});
  };
  fake_files();
  build_on(remote, "FROM scratch\nCOPY f /f\n", {});
  const auto reader = std::make_shared<CountingReader>(remote.images());
  const BaseResolver find = [&](const std::string&, const oci::Platform&) {
    return ResolvedBase{.reader = reader,
                        .root = remote.images().resolve(Tag{"localhost/base:latest"}).value()};
  };
  // Of a tool's image only the result is wanted: the first time its tree is needed for it, ...
  const std::string text =
      "FROM base AS tool\nENV A=b\nRUN out\nFROM scratch\nCOPY --from=tool "
      "/out /out\n";
  build_on(store_, text, find);
  EXPECT_EQ(reader->layers, 1);
  // ... the second time the step's result is there, and so nobody asks for the layer.
  const auto manifest = std::get<oci::Manifest>(
      remote.images().document(*remote.images().resolve(Tag{"localhost/base:latest"})).parsed);
  store_.images().remove_blob(manifest.layers.front().digest);
  EXPECT_EQ(build_on(store_, text, find).cached_steps, 2U);
  EXPECT_EQ(reader->layers, 1);
  // What stands on the image has its layers, whatever the cache holds.
  const auto result = build_on(store_, "FROM base\nENV A=b\n", find);
  EXPECT_TRUE(store_.images().contains(
      std::get<oci::Manifest>(result.images.front().manifest.parsed).layers.front()));
}

TEST_F(Solving, AFailedStepShowsTheEndOfWhatItPrintedAndWhereTheRestIs) {
  fake([](const std::string&, const DirFd&, Sink& output) {
    for (int i = 0; i < 40; ++i) output.write(bytes_of(cat("line ", i, "\n")));
    return 3;
  });
  const Error e = error_of("FROM scratch\nCOPY f /f\nRUN fails\n");
  EXPECT_THAT(e.what(), HasSubstr("\n> 3 | RUN fails\n"));
  EXPECT_THAT(e.what(), HasSubstr("  | line 38\n  | line 39"));
  EXPECT_THAT(e.what(), testing::Not(HasSubstr("line 20")));
  EXPECT_THAT(e.what(), HasSubstr("lade cache logs "));
}

}  // namespace
}  // namespace lade::build
