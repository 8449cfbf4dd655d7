/// RUN --device of the Containerfile language (BuildKit's commands_rundevice.go).
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "libimage/build/run_options.h"

namespace lade::build {

struct RunDevice {
  std::string name = {};  ///< "vendor.com/class=name", "vendor.com/class=*", "vendor.com/class"
  bool required = false;  ///< else a RUN goes without what is not there
  bool operator==(const RunDevice&) const = default;
};

/// Reads "NAME[,required[=BOOL]]" or "name=NAME,…". Error{invalid_content}.
RunDevice parse_run_device(std::string_view text);

/// What the devices give to a step, those that are there. Error{denied} for one that --allow does
/// not name, Error{not_found} for one that is required.
std::vector<sandbox::StepEdits> find_devices(const std::vector<RunDevice>& devices,
                                             const RunOptions& options);

}  // namespace lade::build
