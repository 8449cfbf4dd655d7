// What the tests of io share.
#pragma once
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include <fcntl.h>
#include <gtest/gtest.h>

#include "libimage/base/error.h"
#include "libimage/io/path.h"
#include "libimage/io/stream.h"

namespace lade::testing {

/// The code that `body` fails with; nullopt if it does not.
template <typename Body>
std::optional<Errc> failure_of(const Body& body) {
  try {
    body();
  } catch (const Error& e) {
    return e.code();
  }
  return std::nullopt;
}

/// A test with a directory of its own.
class InTempDir : public ::testing::Test {
 protected:
  /// Path of `name` in the directory.
  [[nodiscard]] std::string at(std::string_view name) const {
    return temp_.path() + "/" + std::string(name);
  }
  void write(std::string_view name, std::string_view content) const {
    const UniqueFd fd(::open(at(name).c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
    FdSink(fd.get(), at(name)).write(bytes_of(content));
  }
  [[nodiscard]] std::string content_of(std::string_view name) const {
    return read_file(at(name), 1'000'000);
  }
  [[nodiscard]] bool exists(std::string_view name) const {
    return std::filesystem::exists(std::filesystem::symlink_status(at(name)));
  }
  [[nodiscard]] std::size_t entries() const {
    return static_cast<std::size_t>(
        std::distance(std::filesystem::directory_iterator(temp_.path()), {}));
  }

  TempDir temp_ = TempDir(std::filesystem::temp_directory_path());
  const DirFd& dir_ = temp_.dir();
};

}  // namespace lade::testing
