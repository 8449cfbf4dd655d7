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

/// What takes `lines`, the last on the screen, away again, and what they became if the terminal has
/// become narrower, so that they take more rows.
std::string erased(const std::vector<std::string>& lines, std::size_t columns);

/// The event as a JSON object on a line (docs/progress-events.md); `seconds` since the start.
std::string json_line(const ProgressEvent& event, double seconds);

}  // namespace lade::tools
