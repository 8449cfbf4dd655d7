/// The table of skopeo's commands: help and completions read it too.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "tools/compat/go_flags.h"
#include "tools/compat/skopeo_commands.h"

namespace lade::tools::compat {

/// All views are literals.
struct Command {
  std::string_view name = {};
  std::string_view use = {};  ///< behind the name
  std::string_view summary = {};
  std::string_view description = {};  ///< "%" stands for the transports
  std::string_view example = {};
  FlagGroups flags = {};
  void (*run)(const Invocation&) = nullptr;  ///< nullptr: not implemented
  bool hidden = false;
};

/// By name.
std::vector<Command> commands();

/// nullptr: there is none of that name.
const Command* find_command(const std::vector<Command>& all, std::string_view name);

/// What `skopeo __complete WORD...` prints: what the last word, which is not finished, may become.
enum class Descriptions { shown, left_out };
std::string completions(const std::vector<std::string>& words, Descriptions descriptions);

}  // namespace lade::tools::compat
