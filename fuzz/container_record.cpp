// A container's state.json: whatever is read is written again, and read as the same.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "libimage/base/error.h"
#include "libimage/runtime/state.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  try {
    const lade::runtime::Record record = lade::runtime::parse_record(text);
    if (lade::runtime::parse_record(lade::runtime::serialise(record)) != record) std::abort();
  } catch (const lade::Error&) {
    return 0;
  }
  return 0;
}
