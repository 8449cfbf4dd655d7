#include "tools/common/log_file.h"

#include <fcntl.h>
#include <unistd.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"

namespace lade::tools {

LogFile::LogFile(const Arguments& arguments) {
  const auto path = arguments.value("logfile");
  if (arguments.tri_state("logsplit") == true)
    throw Error(Errc::unsupported,
                "option --logsplit: platforms share steps, so their logs cannot be told apart");
  if (!path) return;
  if (arguments.value("debug-shell"))
    throw UsageError("--debug-shell needs the terminal that --logfile turns away from");
  const UniqueFd file(::open(path->c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  if (!file) throw_errno(cat("open ", quoted(*path)));
  terminal_ = UniqueFd(::fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1));
  if (!terminal_ || ::dup2(file.get(), STDERR_FILENO) < 0) throw_errno("open standard error anew");
}

LogFile::~LogFile() {
  if (terminal_) (void)::dup2(terminal_.get(), STDERR_FILENO);
}

}  // namespace lade::tools
