#include "tools/common/process.h"

#include <string_view>

#include <unistd.h>

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

unsigned process_uid() { return ::geteuid(); }

}  // namespace lade::tools
