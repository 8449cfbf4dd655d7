// What is read is written as text that is read as the same value, and written the same again.
#include "libimage/base/error.h"
#include "libimage/oci/document.h"

#include "fuzz/property.h"

using namespace lade;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = fuzz::text_of(data, size);
  try {
    const oci::MediaType type = oci::sniff_media_type(text);
    fuzz::require(type.empty() || oci::is_media_type(type));
    const auto value = oci::parse_index(text);
    const std::string written = oci::serialise(value);
    fuzz::require(oci::parse_index(written) == value);
    fuzz::require(oci::serialise(oci::parse_index(written)) == written);
  } catch (const Error& e) {
    fuzz::require(e.code() == Errc::invalid_content || e.code() == Errc::limit_exceeded ||
                  e.code() == Errc::unsupported);
  }
  return 0;
}
