// .dive-ci files, sizes and fractions that users type.
#include <cstdint>

#include "libimage/files/waste.h"

#include "fuzz/property.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = lade::fuzz::text_of(data, size);
  (void)lade::files::parse_size(text);
  if (const auto fraction = lade::files::parse_fraction(text)) {
    lade::fuzz::require(*fraction >= 0 && *fraction <= 1);
  }
  try {
    (void)lade::files::parse_dive_rules(text);
  } catch (const lade::Error&) {
    // What is no rule is refused.
  }
  return 0;
}
