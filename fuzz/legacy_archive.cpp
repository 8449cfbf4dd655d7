// `repositories` and the layers' `json` of old docker archives: what is made of them is a config.
#include "libimage/base/error.h"
#include "libimage/digest/hasher.h"
#include "libimage/oci/image_config.h"
#include "libimage/transports/docker_archive_legacy.h"

#include "fuzz/property.h"

using namespace lade;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(fuzz::text_of(data, size));
  try {
    for (const LegacyImage& image : parse_docker_repositories(text)) {
      fuzz::require(!image.id.empty() && !image.tags.empty());
      fuzz::require(image.id.find('/') == std::string::npos);
    }
  } catch (const Error&) {  // refused
  }
  try {
    const std::string parent = parent_of_legacy_layer(text);
    fuzz::require(parent.find('/') == std::string::npos);
    const std::vector<DiffId> diff_ids{DiffId{sha256_of("a")}};
    const std::string config = legacy_config({text}, diff_ids);
    fuzz::require(oci::parse_image_config(config).diff_ids == diff_ids);
    fuzz::require(legacy_config({text}, diff_ids) == config);
  } catch (const Error&) {  // refused
  }
  return 0;
}
