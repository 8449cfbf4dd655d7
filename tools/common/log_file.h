/// `lade build --logfile`.
#pragma once
#include "libimage/base/unique_fd.h"

#include "tools/common/options.h"

namespace lade::tools {

/// While it lives, what this process writes to standard error goes to the file that the option
/// names, which is replaced.
class LogFile {
 public:
  /// Throws UsageError for options that cannot stand together, Error{unsupported} for --logsplit.
  explicit LogFile(const Arguments& arguments);
  ~LogFile();
  LogFile(const LogFile&) = delete;
  LogFile& operator=(const LogFile&) = delete;

 private:
  UniqueFd terminal_;  // standard error as it was
};

}  // namespace lade::tools
