/// Programs of the host that a step's first process starts: hooks, other runtimes.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace lade::sandbox {

struct ChildProgram {
  std::string path = {};               ///< absolute
  std::vector<std::string> args = {};  ///< args[0] first
  std::vector<std::string> env = {};
  /// What it reads on its standard input; nullopt: this process's own.
  std::optional<std::string> input = {};
  int output = 2;                             ///< the descriptor that becomes its standard output
  std::optional<std::uint32_t> timeout = {};  ///< seconds; then it is killed
};

/// Starts it with no descriptors but these and standard error and with default signals, and waits.
/// Error{command_failed} unless it ends with status 0, Error{unavailable} if it took too long.
void run_program(const ChildProgram& program);

}  // namespace lade::sandbox
