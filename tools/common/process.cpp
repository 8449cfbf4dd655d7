#include "tools/common/process.h"

#include <string_view>

#include <fcntl.h>
#include <unistd.h>

#include "libimage/base/error.h"
#include "libimage/io/stream.h"

namespace lade::tools {

Environment process_environment() {
  Environment environment;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    const std::size_t equals = text.find('=');
    if (equals != std::string_view::npos)
      environment.variables.emplace(text.substr(0, equals), text.substr(equals + 1));
  }
  return environment;
}

std::string read_standard_input(std::uint64_t limit) {
  const int fd = ::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
  if (fd < 0) throw_errno("read standard input");
  FdSource source(UniqueFd(fd), "standard input");
  return read_all(source, limit, "standard input");
}

unsigned process_uid() { return ::geteuid(); }

}  // namespace lade::tools
