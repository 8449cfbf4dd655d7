#pragma once
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "libimage/build/instruction.h"
#include "libimage/build/source_text.h"

namespace lade::build {

/// An ARG before the first FROM: it feeds FROM lines, and stages that declare it again.
struct GlobalArg {
  std::string name;
  std::optional<std::string> value = {};  ///< not expanded
  LineRange lines = {};
  std::vector<std::string> comments = {};  ///< directly above
  std::size_t empty_continuation = 0;      ///< as LogicalLine has it; of a line's first name only
};

/// The description of `name` among the comments above its ARG or FROM: "NAME description".
std::string description_of(const std::vector<std::string>& comments, std::string_view name);

/// One FROM and what follows it.
struct StageSource {
  std::string base = {};      ///< image or stage, not expanded
  std::string name = {};      ///< lower case; "" if it has none
  std::string platform = {};  ///< --platform, not expanded; "" if absent
  LogicalLine from = {};
  std::vector<std::unique_ptr<Instruction>> instructions = {};
};

struct Containerfile {
  SourcePtr source;
  char escape = '\\';
  std::optional<std::string> check = {};  ///< the directive of that name (lint.h)
  std::vector<GlobalArg> global_args = {};
  std::vector<StageSource> stages = {};
};

/// Parses the whole text, so that a mistake at its end is known before the first step runs. Errors
/// are "name:line: message" with a marked excerpt below; what the language has and this program
/// lacks is Error{unsupported} by name.
Containerfile parse_containerfile(std::string name, std::string text);

}  // namespace lade::build
