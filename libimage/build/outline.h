/// What a build takes and offers, read from its Containerfile without building: the arguments and
/// secrets of a target (docker build --call=outline), and the stages that can be one (targets).
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "libimage/build/build.h"
#include "libimage/build/source_text.h"

namespace lade::build {

struct OutlineArg {
  std::string name;
  std::string description = {};
  std::optional<std::string> value = {};  ///< with the build's arguments
  LineRange lines = {};
};

/// A secret or an ssh agent.
struct OutlineMount {
  std::string id;
  bool required = false;
  LineRange lines = {};
};

struct Outline {
  SourcePtr source;
  std::string name = {};  ///< of the target; "" if it has none
  std::string description = {};
  std::vector<OutlineArg> args = {};  ///< these lists are in the file's order
  std::vector<OutlineMount> secrets = {};
  std::vector<OutlineMount> agents = {};
};

/// Of options.target and all stages that it needs. Arguments before the first FROM are listed where
/// one of those stages uses them. Throws what reading and parsing throw, and for an unknown target.
Outline outline_build(const BuildOptions& options);

struct TargetInfo {
  std::string name = {};  ///< "" if it has none
  std::string description = {};
  std::string base = {};      ///< as written
  std::string platform = {};  ///< as written
  bool is_default = false;
  LineRange lines = {};
};

struct TargetList {
  SourcePtr source;
  std::vector<TargetInfo> targets = {};
};

TargetList list_targets(const BuildOptions& options);

}  // namespace lade::build
