#pragma once
#include <string>
#include <string_view>

#include "tools/common/options.h"

namespace lade::tools {

/// ~/`path`; "" where there is no home.
std::string home_file(const Environment& environment, std::string_view path);

/// $`variable`/`path`, else ~/`fallback`/`path`, else "".
std::string user_file(const Environment& environment, const std::string& variable,
                      std::string_view fallback, std::string_view path);

}  // namespace lade::tools
