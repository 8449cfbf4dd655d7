// Records of steps and registrations of binfmt_misc: what reads as records is written as it was
// read, and is read as the same again.
#include "libimage/build/emulation.h"
#include "libimage/build/explain.h"

#include "fuzz/property.h"

using namespace lade;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = fuzz::text_of(data, size);
  (void)build::registers_architecture(text, "arm64");
  const auto records = build::parse_records(text);
  const auto again = build::parse_records(build::write_records(records));
  fuzz::require(again.size() == records.size());
  for (const auto& [place, record] : records) {
    const auto same = again.find(place);
    fuzz::require(same != again.end() && same->second.key == record.key &&
                  same->second.text == record.text && same->second.inputs == record.inputs);
  }
  return 0;
}
