// main() of test programs that run steps of the sandbox (lade_test's SANDBOX_MAIN).
#include <gtest/gtest.h>

#include "libimage/sandbox/step_runner.h"

int main(int argc, char** argv) {
  lade::sandbox::run_step_if_asked(argc, argv);
  ::testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
