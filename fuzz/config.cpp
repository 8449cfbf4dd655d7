// What is read is written as text that is read as the same value, and written the same again.
#include "libimage/base/error.h"
#include "libimage/oci/image_config.h"
#include "libimage/oci/json_text.h"

#include "fuzz/property.h"

using namespace lade;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = fuzz::text_of(data, size);
  try {
    const std::string pretty = oci::pretty_json(text);
    fuzz::require(oci::pretty_json(pretty) == pretty);
    const auto value = oci::parse_image_config(text);
    const std::string written = oci::serialise(value);
    fuzz::require(oci::parse_image_config(written) == value);
    fuzz::require(oci::serialise(oci::parse_image_config(written)) == written);
  } catch (const Error& e) {
    fuzz::require(e.code() == Errc::invalid_content || e.code() == Errc::limit_exceeded ||
                  e.code() == Errc::unsupported);
  }
  return 0;
}
