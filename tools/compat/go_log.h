/// Lines on standard error as logrus writes them.
#pragma once
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lade::tools::compat {

enum class Level { info, warning, error, fatal };

using LogFields = std::vector<std::pair<std::string, std::string>>;

/// `time="..." level=fatal msg="..."` and the fields, by name; on a terminal "FATA[0000] ...".
void log(Level level, std::string_view message, const LogFields& fields = {}) noexcept;

/// The line without a terminal; `time` in RFC 3339.
std::string log_line(std::string_view time, Level level, std::string_view message,
                     LogFields fields);

}  // namespace lade::tools::compat
