#pragma once
#include <cstdint>
#include <string_view>
#include <vector>

#include "libimage/layer/entry.h"

namespace lade::build {

/// What --chmod asks for: an octal mode ("0644"), or changes as chmod(1) writes them ("u+x,go=rX";
/// without a who they are for all, and no umask counts).
class FileMode {
 public:
  /// Throws Error{invalid_content}.
  static FileMode parse(std::string_view text);

  /// The mode of a file of `type` that had `mode` (0 to 07777).
  [[nodiscard]] std::uint32_t apply(std::uint32_t mode, FileType type) const;
  /// True if the mode that a file had does not matter.
  [[nodiscard]] bool is_octal() const noexcept { return changes_.empty(); }

 private:
  struct Change {
    char operation = '=';         // + - =
    std::uint32_t who = 0;        // the bits of whom it is for
    std::uint32_t bits = 0;       // of all three classes: rwx, s, t
    bool execute_if_any = false;  // X
    char copied = 0;              // u, g or o: the permissions of that class
  };
  void add_clause(std::string_view clause, std::string_view whole);

  std::uint32_t octal_ = 0;
  std::vector<Change> changes_;
};

}  // namespace lade::build
