#pragma once
#include <cstdint>
#include <string>
#include <utility>

#include "libimage/base/unique_fd.h"

namespace lade {

/// Opens files of a layer by their names in its tar stream, inside the directories that hold them.
class TreeFiles {
 public:
  explicit TreeFiles(DirFd root) : root_(std::move(root)) {}

  /// The regular file `name` of `size` bytes; nothing outside the directory can be reached, and
  /// nothing that blocks is opened. Error{invalid_content} if it is missing or something else,
  /// Error{denied} if it may not be read.
  [[nodiscard]] UniqueFd open(const std::string& name, std::uint64_t size) const;

 private:
  DirFd root_;
};

}  // namespace lade
