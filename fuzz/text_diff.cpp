// Unified diffs: every line of both texts is accounted for, whatever the texts.
#include <cstdint>

#include "libimage/files/compare.h"

#include "fuzz/property.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = lade::fuzz::text_of(data, size);
  const std::size_t middle = text.find('\0');
  if (middle == std::string_view::npos) return 0;
  const std::string_view before = text.substr(0, middle);
  const std::string_view after = text.substr(middle + 1);
  lade::fuzz::require(lade::files::unified_diff(before, after).empty() == (before == after));
  (void)lade::files::is_text(text);
  return 0;
}
