// Docker's schema 1: whatever is read becomes a config that can be read, with all its history.
#include "libimage/oci/schema1.h"

#include "libimage/base/error.h"
#include "libimage/digest/hasher.h"

#include "fuzz/property.h"

using namespace lade;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = fuzz::text_of(data, size);
  try {
    const oci::Schema1 manifest = oci::parse_schema1(oci::schema1_payload(text));
    fuzz::require(!manifest.layers.empty());
    const std::vector<DiffId> diff_ids(manifest.blobs().size(), {sha256_of("")});
    const oci::ImageConfig config =
        oci::parse_image_config(oci::schema1_config(manifest, diff_ids));
    fuzz::require(config.diff_ids == diff_ids);
    fuzz::require(config.history.size() == manifest.layers.size());
  } catch (const Error& e) {
    fuzz::require(e.code() == Errc::invalid_content || e.code() == Errc::limit_exceeded ||
                  e.code() == Errc::unsupported);
  }
  return 0;
}
