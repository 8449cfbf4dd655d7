#pragma once
#include <string>
#include <vector>

namespace lade {

/// Which directories of a path were missing before they were created, so that whoever created them
/// for nothing can take them away again.
class MadeDirs {
 public:
  /// Looks at `path` and its parents: call it before creating them.
  explicit MadeDirs(const std::string& path);
  /// Removes those that were missing, deepest first, as far as they are empty.
  void remove() const noexcept;

 private:
  std::vector<std::string> missing_;
};

}  // namespace lade
