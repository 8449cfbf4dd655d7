#include "tools/common/process.h"

#include <string_view>

#include <malloc.h>
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

void return_large_buffers() {
  // Above the 256 KiB chunks of the streams, which come and go too often to be mapped each time.
  constexpr int kThreshold = 512 * 1024;
  ::mallopt(M_MMAP_THRESHOLD, kThreshold);
}

unsigned process_uid() { return ::geteuid(); }

}  // namespace lade::tools
