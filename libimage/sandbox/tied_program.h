/// A program of the host that lives no longer than this process.
#pragma once
#include <string>
#include <vector>

#include <sys/types.h>

#include "libimage/base/unique_fd.h"

namespace lade::sandbox {

/// Runs beside this process, in a pid namespace whose first process watches this one: the program
/// and all that it started are killed when the object goes, and when this process ends however it
/// does (SIGKILL too). It inherits nothing but the descriptor that takes its output.
class TiedProgram {
 public:
  TiedProgram() = default;
  /// `args[0]` is the executable's path; `output` becomes its standard output and error, which may
  /// grow to 1 MiB. Its standard input is empty, its environment PATH alone.
  static TiedProgram start(const std::vector<std::string>& args, int output);

  TiedProgram(TiedProgram&& other) noexcept;
  TiedProgram& operator=(TiedProgram&& other) noexcept;
  ~TiedProgram();

  /// True once the program is gone.
  [[nodiscard]] bool has_ended() const;

 private:
  void end() noexcept;

  pid_t watcher_ = -1;
  UniqueFd tie_ = UniqueFd();      // the watcher ends when it is closed
  UniqueFd process_ = UniqueFd();  // pidfd of the watcher
};

}  // namespace lade::sandbox
