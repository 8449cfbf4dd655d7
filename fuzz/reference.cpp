// Everything that users type to name an image or a platform: what is accepted is written back as
// text that means the same.
#include "libimage/name/reference.h"

#include "libimage/base/error.h"
#include "libimage/name/image_name.h"
#include "libimage/name/platform.h"

#include "fuzz/property.h"

using namespace lade;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = fuzz::text_of(data, size);
  fuzz::unless_refused([&] {
    const Reference reference = Reference::parse(text);
    fuzz::require(Reference::parse(reference.str()) == reference);
    fuzz::require(Reference::try_parse(text) == reference);
  });
  fuzz::unless_refused([&] {
    const ImageName name = ImageName::parse(text, {"docker", "oci", "dir"});
    fuzz::require(name.str() == text);
  });
  fuzz::unless_refused([&] { fuzz::require(!split_path_reference(text).path.empty()); });
  fuzz::unless_refused([&] {
    const oci::Platform platform = parse_platform(text);
    fuzz::require(normalised(platform) == platform);
    fuzz::require(parse_platform(oci::to_string(platform)) == platform);
    fuzz::require(platform_fits(platform, platform) ==
                  (platform.os != "unknown" || platform.architecture != "unknown"));
  });
  return 0;
}
