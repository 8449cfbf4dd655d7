/// The program called as skopeo.
#pragma once
#include <string>
#include <vector>

#include "tools/common/options.h"

namespace lade::tools::compat {

/// Runs skopeo's command line and returns its exit status: 0, 1, or 2 where an image was not found.
int run_skopeo(const std::vector<std::string>& words, const Environment& environment);

}  // namespace lade::tools::compat
