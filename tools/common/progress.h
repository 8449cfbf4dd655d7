/// Renderers of progress events, all to standard error.
#pragma once
#include <memory>

#include "libimage/base/progress.h"

#include "tools/common/options.h"

namespace lade::tools {

/// The renderer that --progress, --quiet and the terminal ask for. `auto` is `tty` on a terminal,
/// else `plain`.
std::unique_ptr<ProgressObserver> make_progress(const Arguments& arguments,
                                                const Environment& environment);

/// The same for who needs the terminal meanwhile: "tty" and "auto" are plain lines.
std::unique_ptr<ProgressObserver> make_progress_without_bars(const Arguments& arguments);

}  // namespace lade::tools
