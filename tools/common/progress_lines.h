/// Lines of the renderers that need neither clock nor terminal.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "libimage/base/progress.h"

namespace lade::tools {

enum class Colours { none, some };

/// `text` in the colour of that SGR number; as it is without colours or number.
std::string coloured(const std::string& text, std::string_view number, Colours colours);

/// A line with the full part of its bar in colour.
std::string with_coloured_bar(const std::string& line, Colours colours);

/// Puts a prefix before each line of an output that comes in pieces. Lines of steps that run at the
/// same time are then whole, and each says whose it is.
class LinePrefix {
 public:
  explicit LinePrefix(std::string prefix = {}) : prefix_(std::move(prefix)) {}
  /// The lines that `text` ends.
  std::string prefixed(std::string_view text);
  /// What is left of a last line without its end.
  std::string rest();

 private:
  static constexpr std::size_t kMaxBegun = std::size_t{64} * 1024;
  std::string prefix_;
  std::string begun_;
};

/// What takes `lines`, the last on the screen, away again, and what they became if the terminal has
/// become narrower, so that they take more rows.
std::string erased(const std::vector<std::string>& lines, std::size_t columns);

/// The event as a JSON object on a line (docs/progress-events.md); `seconds` since the start.
std::string json_line(const ProgressEvent& event, double seconds);

}  // namespace lade::tools
