#include <atomic>
#include <chrono>
#include <thread>

#include <fcntl.h>
#include <sys/stat.h>

#include "libimage/base/error.h"

#include "tests/layer/trees.h"
#include "tests/support/tar_builder.h"

namespace lade {
namespace {

using testing::apply_to;
using testing::describe;
using testing::shell;
using testing::TarBuilder;
using testing::temp_root;

/// A layer that makes, links, chmods, whites out and hides below `d/e`.
std::string busy_layer() {
  TarBuilder tar;
  tar.dir("d").dir("d/e");
  for (int i = 0; i < 40; ++i) {
    const std::string n = std::to_string(i);
    tar.file("d/e/f" + n, "x").dir("d/e/sub" + n, 0700).hardlink("d/e/h" + n, "d/e/f" + n);
    tar.file("d/e/sub" + n + "/canary", "overwritten", 0777).symlink("d/e/s" + n, "canary");
    tar.raw({.name = "d/e/p" + n, .type = '6', .mode = 0777});
    tar.file("d/e/.wh.canary").file("d/e/.wh.keep");
  }
  return tar.file("d/e/.wh..wh..opq").dir("d/e", 0777).finish();
}

TEST(ApplyLayerRace, SwappedDirectoriesAndLinksNeverLeadOutside) {
  const TempDir temp(temp_root());
  shell(temp.path(),
        "mkdir root root/d root/d/e root/spare outside outside/keep; "
        "echo untouched > outside/canary; chmod 600 outside/canary; ln -s ../../outside root/link; "
        "ln -s " +
            temp.path() + "/outside root/absolute");
  const DirFd outside = open_dir(temp.path() + "/outside");
  const std::string before = describe(outside);
  const DirFd root = open_dir(temp.path() + "/root");
  std::atomic<std::uint64_t> swaps = 0;
  const std::jthread racer([&](const std::stop_token& stop) {
    // RENAME_EXCHANGE puts a link where a directory was, and back, without a moment in between.
    const char* const links[] = {"link", "absolute"};
    for (std::uint64_t i = 0; !stop.stop_requested(); ++i) {
      const char* const place = (i & 1U) != 0 ? "d" : "d/e";
      const char* const link = links[(i >> 1U) & 1U];
      if (::renameat2(root.get(), link, root.get(), place, RENAME_EXCHANGE) == 0) {
        ++swaps;
        (void)::renameat2(root.get(), link, root.get(), place, RENAME_EXCHANGE);
      }
    }
  });
  const std::string layer = busy_layer();
  const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(2500);
  for (int round = 0; round < 3 || std::chrono::steady_clock::now() < end; ++round) {
    for (const bool overlay : {false, true}) {
      try {
        apply_to(temp.path() + "/root", layer, {.overlay_whiteouts = overlay});
      } catch (const Error&) {  // the racer may make it fail, but never succeed outside
      }
    }
    ASSERT_EQ(describe(outside), before) << "round " << round;
  }
  EXPECT_GT(swaps.load(), 20U);
}

}  // namespace
}  // namespace lade
