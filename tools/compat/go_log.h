/// Lines on standard error as logrus writes them.
#pragma once
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lade::tools::compat {

enum class Level { debug, info, warning, error, fatal };

using LogFields = std::vector<std::pair<std::string, std::string>>;

/// `time="..." level=fatal msg="..."` and the fields, by name; on a terminal "FATA[0000] ...".
void log(Level level, std::string_view message, const LogFields& fields = {}) noexcept;

/// Makes log() print lines of Level::debug, which it leaves out otherwise.
void show_debug_lines() noexcept;
[[nodiscard]] bool debug_lines_shown() noexcept;

/// The line without a terminal; `time` in RFC 3339.
std::string log_line(std::string_view time, Level level, std::string_view message,
                     LogFields fields);

}  // namespace lade::tools::compat
