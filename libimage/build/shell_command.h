#pragma once
#include <string>
#include <vector>

#include "libimage/build/instruction.h"

namespace lade::oci {
struct ExecutionConfig;
}

namespace lade::build {

/// What RUN, CMD and ENTRYPOINT hold: a JSON list (exec form), or a line for the shell.
struct ShellCommand {
  bool exec_form = false;
  std::vector<std::string> words = {};  ///< exec form
  std::string text = {};                ///< shell form

  /// The arguments to execute: the shell's in front of a shell line.
  [[nodiscard]] std::vector<std::string> arguments(const oci::ExecutionConfig& config) const;
};

ShellCommand parse_shell_command(const std::string& arguments);

}  // namespace lade::build
