#pragma once
#include <cstdint>
#include <string>

#include "tools/common/options.h"

namespace lade::tools {

/// The environment variables of this process; the store is not chosen yet.
Environment process_environment();

/// All of standard input, at most `limit` bytes.
std::string read_standard_input(std::uint64_t limit);

/// Effective user id.
unsigned process_uid();

}  // namespace lade::tools
