// WWW-Authenticate: any header value gives challenges with lower-case schemes, and no crash.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "libimage/base/text.h"
#include "libimage/transports/docker_challenge.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  for (const auto& challenge : lade::docker::parse_challenges(text)) {
    if (challenge.scheme.empty()) std::abort();
    if (lade::lower_case(challenge.scheme) != challenge.scheme) std::abort();
  }
  return 0;
}
