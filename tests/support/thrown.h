/// What a call threw, and what it left on disk.
#pragma once
#include <cstddef>
#include <filesystem>
#include <string>

#include <gtest/gtest.h>

#include "libimage/base/error.h"

namespace lade::testing {

/// The code of the Error that `body` throws; without one the test fails.
template <typename Body>
Errc code_thrown(Body&& body) {
  try {
    body();
  } catch (const Error& e) {
    return e.code();
  }
  ADD_FAILURE() << "nothing was thrown";
  return Errc::internal;
}

/// Regular files below `path`, hidden ones included.
inline std::size_t count_files(const std::string& path) {
  std::size_t count = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(path)) {
    if (entry.is_regular_file()) ++count;
  }
  return count;
}

}  // namespace lade::testing
