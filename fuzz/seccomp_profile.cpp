// Seccomp profiles that users name: parsed, and what parses is compiled.
#include <cstddef>
#include <cstdint>

#include "libimage/base/error.h"
#include "libimage/sandbox/seccomp_filter.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  try {
    const lade::sandbox::Capabilities capabilities = {"CAP_CHOWN", "CAP_SYS_ADMIN"};
    const auto rules = lade::sandbox::parse_seccomp_profile(text, capabilities);
    if (rules.rules.size() < 16) (void)lade::sandbox::compile_seccomp(rules);
  } catch (const lade::Error&) {
    return 0;
  }
  return 0;
}
