/// Which devices the processes of a control group of version 2 may use.
#pragma once
#include <string>
#include <vector>

#include "libimage/sandbox/runtime_config.h"

namespace lade::sandbox {

/// Attaches a program to the group at `path`, of which the last rule that fits decides; what none
/// fits is allowed. Replaces one attached here before. Returns an errno, 0 if all went well.
int attach_device_filter(const std::string& path, const std::vector<DeviceRule>& rules) noexcept;

}  // namespace lade::sandbox
