// config.json: whatever is read is written again, and read as the same.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "libimage/base/error.h"
#include "libimage/runtime/config_json.h"
#include "libimage/sandbox/validate.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  try {
    const lade::sandbox::RuntimeConfig config = lade::runtime::parse_config(text);
    const std::string again = lade::runtime::serialise(config);
    if (lade::runtime::parse_config(again) != config) std::abort();
    lade::sandbox::validate(config);
  } catch (const lade::Error&) {
    return 0;
  }
  return 0;
}
