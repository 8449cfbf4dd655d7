// Reading subuid(5): ranges stay in bounds, whatever the text says.
#include <cstdint>
#include <limits>

#include "libimage/sandbox/user_namespace.h"

#include "fuzz/property.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto ranges =
      lade::sandbox::subordinate_ranges(lade::fuzz::text_of(data, size), "user", 1000);
  std::uint64_t total = 1;
  for (const lade::sandbox::IdRange& range : ranges) {
    lade::fuzz::require(range.count > 0);
    lade::fuzz::require(std::uint64_t{range.first} + range.count <=
                        std::numeric_limits<std::uint32_t>::max());
    total += range.count;
  }
  lade::fuzz::require(total <= std::numeric_limits<std::uint32_t>::max());
  return 0;
}
