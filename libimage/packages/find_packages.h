/// Finds what is installed in a tree: the system's packages (dpkg, apk, rpm) and those of npm, pip
/// and Go programs, wherever they are.
#pragma once
#include <cstdint>
#include <stop_token>

#include "libimage/packages/package.h"
#include "libimage/packages/tree.h"

namespace lade::packages {

struct FindLimits {
  std::uint64_t max_entries = 5'000'000;  ///< files and directories looked at
  std::size_t max_depth = 200;            ///< deeper directories are not entered
};

/// Damaged or unreadable databases become remarks, not errors. Throws Error{limit_exceeded} for a
/// tree beyond `limits`, what `tree` throws, and Cancelled.
Inventory find_packages(Tree& tree, const FindLimits& limits = {},
                        const std::stop_token& stop = {});

}  // namespace lade::packages
