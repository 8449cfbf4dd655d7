/// Programs of the system, run for what they print (git, cpp, credential helpers).
#pragma once
#include <chrono>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

namespace lade {

struct ProgramCall {
  std::string path;                                       ///< the executable
  std::vector<std::string> args = {};                     ///< what follows argv[0]
  std::vector<std::string> environment = {};              ///< NAME=value; nothing else is passed on
  std::string directory = {};                             ///< where it runs; "": here
  std::string input = {};                                 ///< its standard input; "": empty
  std::size_t max_output = std::size_t{1} << 20U;         ///< more is Error{limit_exceeded}
  std::optional<std::chrono::milliseconds> timeout = {};  ///< longer is Error{command_failed}
};

struct ProgramResult {
  int status = 0;  ///< exit status, 128 + n if signal n ended it
  std::string out = {};
  std::string err = {};  ///< its end, at most 128 KiB
};

/// Runs it to its end, with all that it starts in one process group, which is killed when `stop` is
/// requested (Cancelled), a bound is exceeded or the time is over. No shell is involved, and no
/// descriptor inherited.
ProgramResult run_program(const ProgramCall& call, const std::stop_token& stop);

/// What a status of waitpid(2) means: the exit status, 128 + n if signal n ended the process.
int exit_status_of(int wait_status) noexcept;

/// The executable `name` in the directories of a PATH ("/usr/bin:/bin"). Error{not_found}.
std::string find_program(const std::string& name, const std::string& path);

}  // namespace lade
