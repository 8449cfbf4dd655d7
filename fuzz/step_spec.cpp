// The specification that a re-executed step reads: whatever is read is written again the same.
#include "libimage/sandbox/step_spec.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "libimage/base/error.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  try {
    const std::string again = lade::sandbox::encode(lade::sandbox::decode_step_spec(bytes));
    if (lade::sandbox::encode(lade::sandbox::decode_step_spec(again)) != again) std::abort();
  } catch (const lade::Error&) {
    return 0;
  }
  return 0;
}
