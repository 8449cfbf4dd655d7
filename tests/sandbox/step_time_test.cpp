#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <iostream>
#include <vector>

#include <gtest/gtest.h>

#include "libimage/io/stream.h"

#include "tests/sandbox/busybox_root.h"

namespace lade::sandbox {
namespace {

/// Prints what a step costs; asserts nothing about it.
void print_times(const std::string& what, StepRunner& runner, const RuntimeConfig& step) {
  constexpr std::size_t kRuns = 40;
  std::vector<double> milliseconds;
  for (std::size_t i = 0; i < kRuns; ++i) {
    const auto start = std::chrono::steady_clock::now();
    NullSink output;
    ASSERT_EQ(runner.run(step, {output}, {}).exit_status, 0);
    milliseconds.push_back(
        std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start)
            .count());
  }
  const double first = milliseconds.front();
  std::sort(milliseconds.begin(), milliseconds.end());
  std::cout << what << ": first " << first << " ms, median " << milliseconds[kRuns / 2]
            << " ms, slowest " << milliseconds.back() << " ms\n";
}

TEST(StepTime, OfRunTrueIsPrinted) {
  const OverlaidRoot root;
  const auto runner = builtin_runner();
  RuntimeConfig step = default_config();
  step.root = {{}, root.overlay()};
  step.process.args = {"/bin/true"};
  print_times("overlay", *runner, step);
  step.namespaces.erase(Namespace::network);
  print_times("overlay, host network", *runner, step);
  step.root = {root.lower()};
  print_times("directory, host network", *runner, step);
}

}  // namespace
}  // namespace lade::sandbox
