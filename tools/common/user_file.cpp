#include "tools/common/user_file.h"

#include "libimage/base/text.h"

namespace lade::tools {

std::string home_file(const Environment& environment, std::string_view path) {
  const std::string home = environment.variable("HOME");
  return home.empty() ? std::string() : cat(home, "/", path);
}

std::string user_file(const Environment& environment, const std::string& variable,
                      std::string_view fallback, std::string_view path) {
  const std::string directory = environment.variable(variable);
  return directory.empty() ? home_file(environment, cat(fallback, "/", path))
                           : cat(directory, "/", path);
}

}  // namespace lade::tools
