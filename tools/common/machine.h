/// What this machine can do for containers, and why not the rest.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "libimage/template/value.h"

#include "tools/common/options.h"

namespace lade::tools {

/// Something that a machine has or has not.
struct Ability {
  std::string name = {};
  bool available = false;
  std::string detail = {};  ///< what it is used for or where it is; why not, and what would help
};

struct Machine {
  templates::Value host = {};     ///< kernel, architecture, CPUs, memory
  templates::Value user = {};     ///< ids
  templates::Value cgroups = {};  ///< version, controllers, which of them can be used
  templates::Value store = {};    ///< path, driver
  std::vector<Ability> sandbox = {};
  std::vector<Ability> runtimes = {};
  std::vector<Ability> network = {};
  std::vector<Ability> helpers = {};
  std::vector<std::string> platforms = {};  ///< whose programs run here
};

/// Looks around; enters a user namespace if a build would. Changes nothing, but makes the store's
/// directory where it is missing.
Machine examine_machine(const Environment& environment);

}  // namespace lade::tools
