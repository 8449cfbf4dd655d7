#pragma once
#include <cstddef>
#include <string>
#include <string_view>

namespace lade::build {

/// What one step printed, bounded: of much output the beginning and the end.
class StepLog {
 public:
  static constexpr std::size_t kMaxPart = std::size_t{256} * 1024;

  void add(std::string_view text);
  [[nodiscard]] bool empty() const noexcept { return head_.empty(); }
  /// All that was kept; where something is missing, a line says how much.
  [[nodiscard]] std::string text() const;
  /// The last `count` lines, safe to print, each with `indent` before and a newline after it.
  [[nodiscard]] std::string last_lines(std::size_t count, std::string_view indent) const;

 private:
  std::string head_;
  std::string tail_;  // of what did not fit into head_; at most twice a part
  std::size_t dropped_ = 0;
};

}  // namespace lade::build
