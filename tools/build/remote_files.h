#pragma once
#include <stop_token>

#include "libimage/build/remote_file.h"

namespace lade::tools {

/// Asks http servers for the files of ADD and of contexts, by a client of its own that is made at
/// the first request. Thread-safe.
build::FetchUrl make_fetch(const std::stop_token& stop);

}  // namespace lade::tools
