/// Devices that the command line names, of this machine or by the Container Device Interface.
#pragma once
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "libimage/sandbox/step_edits.h"

namespace lade::tools {

/// Where specifications are, the later before the earlier (CDI, "SPEC.md").
inline const std::vector<std::string>& cdi_directories() {
  static const std::vector<std::string> directories = {"/etc/cdi", "/var/run/cdi"};
  return directories;
}

/// What a CDI device needs ("vendor.com/class=name", "vendor.com/class=*", "vendor.com/class");
/// nullopt if there is none. Reads the specifications at the first call.
std::function<std::optional<sandbox::StepEdits>(const std::string& name)> cdi_finder();

/// What the values of --device give: /HOST[:/CONTAINER][:rwm] or a CDI name. UsageError for other
/// words; Error{not_found} for devices that are not there.
std::vector<sandbox::StepEdits> read_devices(const std::vector<std::string>& words);

}  // namespace lade::tools
