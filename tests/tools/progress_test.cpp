// What progress shows, with a clock that the tests move.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tools/common/progress_lines.h"
#include "tools/common/progress_state.h"

namespace lade::tools {
namespace {

using Kind = ProgressEvent::Kind;
using ::testing::ElementsAre;

constexpr std::uint64_t kMB = 1'000'000;

/// Events at times in seconds.
struct Work {
  ProgressTime start = {};
  ProgressTime now = {};
  ProgressState state{start};

  void at(double seconds) {
    now = start + std::chrono::duration_cast<ProgressTime::duration>(
                      std::chrono::duration<double>(seconds));
  }
  Work& begin(const std::string& name, std::uint64_t total) {
    state.record({.kind = Kind::started, .item = name, .label = "blob " + name, .total = total},
                 now);
    return *this;
  }
  Work& advance(const std::string& name, std::uint64_t done) {
    state.record({.kind = Kind::advanced, .item = name, .done = done}, now);
    return *this;
  }
  std::string finish(const std::string& name, const std::string& note = "") {
    const ProgressEvent event{.kind = Kind::finished, .item = name, .note = note};
    std::string line = state.last_line(event, now);
    state.record(event, now);
    return line;
  }
  /// Two blobs in flight, one done: 10 MB/s and 20 MB/s.
  Work& half_way() {
    state.record({.kind = Kind::started, .item = "whole", .total = 400 * kMB}, now);
    begin("sha256:aaaaaaaaaaaa", 100 * kMB).begin("sha256:bbbbbbbbbbbb", 200 * kMB);
    begin("sha256:cccccccccccc", 50 * kMB);
    for (int i = 1; i <= 20; ++i) {
      at(i * 0.1);
      const auto done = static_cast<std::uint64_t>(i) * kMB;
      advance("sha256:aaaaaaaaaaaa", done).advance("sha256:bbbbbbbbbbbb", 2 * done);
    }
    finish("sha256:cccccccccccc", "exists");
    return *this;
  }
};

TEST(ProgressBars, FitTheWidthOfTheTerminal) {
  Work work;
  work.half_way();
  const auto padded = [](std::string text, std::size_t size) {
    text.resize(size, ' ');
    return text;
  };
  EXPECT_THAT(
      work.state.bars(200, 12, work.now),
      ElementsAre(
          padded("1 done, 2 under way", 111) + "[#########---------------------------]  27%    110 "
                                               "MB /   400 MB   30.0 MB/s   0:10 left",
          padded("blob sha256:aaaaaaaaaaaa", 111) + "[#######-----------------------------]  20%   "
                                                    "20.0 MB /   100 MB   10.0 MB/s   0:08 left",
          padded("blob sha256:bbbbbbbbbbbb", 111) + "[#######-----------------------------]  20%   "
                                                    "40.0 MB /   200 MB   20.0 MB/s   0:08 left"));
  EXPECT_THAT(
      work.state.bars(80, 12, work.now),
      ElementsAre(
          "1 done, 2 under way [###---------]  27%    110 MB /   400 MB   30.0 MB/s   0:10",
          "blob sha256:aaaaaaa [##----------]  20%   20.0 MB /   100 MB   10.0 MB/s   0:08",
          "blob sha256:bbbbbbb [##----------]  20%   40.0 MB /   200 MB   20.0 MB/s   0:08"));
  EXPECT_THAT(work.state.bars(40, 12, work.now),
              ElementsAre("1 done, 2 under way     27%   30.0 MB/s",
                          "blob sha256:aaaaaaaaaa  20%   10.0 MB/s",
                          "blob sha256:bbbbbbbbbb  20%   20.0 MB/s"));
  for (std::size_t columns = 1; columns < 210; ++columns) {
    for (const std::string& line : work.state.bars(columns, 12, work.now)) {
      EXPECT_LT(line.size(), std::max<std::size_t>(columns, 2)) << columns;
    }
  }
}

TEST(ProgressBars, AreAsManyAsThereIsRoomFor) {
  Work work;
  for (int i = 0; i < 30; ++i) work.begin("b" + std::to_string(i), kMB);
  const std::vector<std::string> lines = work.state.bars(60, 5, work.now);
  ASSERT_EQ(lines.size(), 5U);
  EXPECT_TRUE(lines[0].starts_with("0 done, 30 under way")) << lines[0];
  EXPECT_TRUE(lines[3].starts_with("blob b2")) << lines[3];
  EXPECT_EQ(lines[4], "... and 27 more");
  EXPECT_TRUE(Work().state.bars(80, 5, {}).empty());
}

TEST(ProgressBars, AStepWithoutBytesIsItsLabel) {
  Work work;
  work.state.record({.kind = Kind::started, .item = "1", .label = "RUN caf\xC3\xA9"}, work.now);
  EXPECT_THAT(work.state.bars(80, 5, work.now), ElementsAre("RUN caf\xC3\xA9"));
  EXPECT_THAT(work.state.bars(9, 5, work.now), ElementsAre("RUN caf\xC3\xA9"));
  EXPECT_THAT(work.state.bars(8, 5, work.now), ElementsAre("RUN caf"));
  work.at(65.5);
  EXPECT_THAT(work.state.bars(20, 5, work.now), ElementsAre("RUN caf\xC3\xA9       1:05"));
  const auto last = [&](Kind kind, const std::string& note) {
    return work.state.last_line({.kind = kind, .item = "1", .label = "RUN x", .note = note},
                                work.now);
  };
  EXPECT_EQ(last(Kind::finished, ""), "RUN x: done in 1 min 6 s");
  EXPECT_EQ(last(Kind::finished, "cached"), "RUN x: CACHED");
  EXPECT_EQ(last(Kind::failed, "no"), "RUN x: failed after 1 min 6 s: no");
}

TEST(ProgressLines, EachLineOfAStepSaysWhoseItIs) {
  LinePrefix lines("[a 1/2] ");
  EXPECT_EQ(lines.prefixed("one\ntw"), "[a 1/2] one\n");
  EXPECT_EQ(lines.prefixed("o"), "");
  EXPECT_EQ(lines.prefixed("\n\n"), "[a 1/2] two\n[a 1/2] \n");
  EXPECT_EQ(lines.prefixed("end"), "");
  EXPECT_EQ(lines.rest(), "[a 1/2] end\n");
  EXPECT_EQ(lines.rest(), "");
}

TEST(ProgressLines, SayHowABlobCameAndHowFast) {
  Work work;
  work.begin("a", 50 * kMB).begin("b", 3 * kMB).begin("c", 7);
  work.at(0.1);
  EXPECT_EQ(work.finish("c"), "blob c: 7 B in 0.1 s");
  EXPECT_EQ(work.finish("b", "mounted"), "blob b: mounted");
  work.at(12);
  work.advance("a", 24 * kMB);
  EXPECT_EQ(work.state.middle_line(*work.state.find("a"), work.now),
            "blob a: 24.0 MB of 50.0 MB, 48%, 2.0 MB/s, 0:13 left");
  work.at(25);
  EXPECT_EQ(work.finish("a"), "blob a: 50.0 MB in 25 s, 2.0 MB/s");
  EXPECT_EQ(work.state.last_line(
                {.kind = Kind::failed, .item = "x", .label = "blob x", .note = "no"}, work.now),
            "blob x: failed: no");
  work.at(200);
  EXPECT_EQ(work.state.summary_line({.kind = Kind::summary, .done = 50 * kMB, .note = "copied"},
                                    work.now),
            "copied, 3 min 20 s, 250 kB/s");
  EXPECT_EQ(work.state.summary_line({.kind = Kind::summary, .note = "built"}, work.now), "built");
}

TEST(ProgressRate, LooksBackSomeSecondsOnly) {
  ProgressTime now = {};
  ProgressRate rate(now);
  EXPECT_EQ(rate.bytes_a_second(now), 0);
  std::uint64_t done = 0;
  for (int i = 0; i < 200; ++i) {  // 10 seconds at 100 bytes a tenth of a second, then 10 at 500
    now += std::chrono::milliseconds(100);
    done += i < 100 ? 100 : 500;
    rate.add(now, done);
  }
  EXPECT_NEAR(rate.bytes_a_second(now), 5000, 300);
  now += std::chrono::seconds(5);  // stalled: slower and slower
  EXPECT_LT(rate.bytes_a_second(now), 2700);
}

TEST(ProgressLines, AreErasedAsTheTerminalShowsThem) {
  EXPECT_EQ(erased({}, 80), "");
  EXPECT_EQ(erased({std::string(79, 'a'), "b"}, 80), "\r\x1b[2A\x1b[J");
  // Narrower now: the first takes two rows.
  EXPECT_EQ(erased({std::string(79, 'a'), "b"}, 40), "\r\x1b[3A\x1b[J");
}

TEST(ProgressLines, HaveColoursOnlyWhereTheyAreWanted) {
  EXPECT_EQ(with_coloured_bar("x [##--] 50%", Colours::some), "x [\x1b[36m##\x1b[0m--] 50%");
  EXPECT_EQ(with_coloured_bar("x [##--] 50%", Colours::none), "x [##--] 50%");
  EXPECT_EQ(with_coloured_bar("x [----] 0%", Colours::some), "x [----] 0%");
  EXPECT_EQ(coloured("no", "31", Colours::some), "\x1b[31mno\x1b[0m");
  EXPECT_EQ(coloured("no", "31", Colours::none), "no");
}

TEST(ProgressJson, HasOneObjectALine) {
  EXPECT_EQ(json_line({.kind = Kind::started, .item = "a", .label = "blob \"a\"", .total = 5}, 0),
            "{\"event\":\"started\",\"seconds\":0.000,\"item\":\"a\",\"label\":\"blob \\\"a\\\"\","
            "\"done\":0,\"total\":5}\n");
  EXPECT_EQ(json_line({.kind = Kind::finished, .item = "a", .note = "exists"}, 12.3456),
            "{\"event\":\"finished\",\"seconds\":12.345,\"item\":\"a\",\"note\":\"exists\"}\n");
  EXPECT_EQ(json_line({.kind = Kind::summary, .done = 7, .note = "copied"}, 1.05),
            "{\"event\":\"summary\",\"seconds\":1.050,\"done\":7,\"note\":\"copied\"}\n");
}

TEST(ClockText, IsShort) {
  EXPECT_EQ(clock_text(0), "0:00");
  EXPECT_EQ(clock_text(6.2), "0:07");
  EXPECT_EQ(clock_text(754), "12:34");
  EXPECT_EQ(clock_text(3723), "1:02:03");
  EXPECT_EQ(clock_text(1e12), "99:59:59");
  EXPECT_EQ(duration_text(0.04), "0.0 s");
  EXPECT_EQ(duration_text(9.96), "10.0 s");
}

}  // namespace
}  // namespace lade::tools
