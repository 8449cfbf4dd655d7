/// What a device or an engine adds to a step: nodes, variables, mounts, hooks, groups.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "libimage/sandbox/runtime_config.h"

namespace lade::sandbox {

struct GrantedDevice {
  Device node = {};
  std::string access = "rwm";  ///< of "rwm"; what is missing is refused by the control group
  bool operator==(const GrantedDevice&) const = default;
};

struct StepEdits {
  std::vector<GrantedDevice> devices = {};
  std::vector<std::string> env = {};  ///< NAME=VALUE, in place of what the step has of that name
  std::vector<Mount> mounts = {};
  Hooks hooks = {};
  std::vector<std::uint32_t> additional_gids = {};
  bool operator==(const StepEdits&) const = default;
};

/// Adds them. Error{unsupported} for device nodes outside /dev: they would be in the layer.
void apply_edits(const StepEdits& edits, RuntimeConfig& step);

/// A device of this machine as it is, under `path`; its type, numbers and mode are the host's.
/// Error{not_found, invalid_argument} for what is no device.
Device host_device(const std::string& host_path, const std::string& path);

/// What "HOST[:CONTAINER][:ACCESS]" gives; the devices below it, if HOST is a directory.
/// Error{invalid_argument} for words of another form.
StepEdits edits_of_device(const std::string& word);

}  // namespace lade::sandbox
