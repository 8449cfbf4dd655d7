// Edits any index.json as a layout does: a name that was given is found, and the result is one that
// can be read again.
#include "libimage/store/layout_index.h"

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "libimage/base/error.h"

#include "fuzz/property.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  try {
    lade::oci::Index index = lade::oci::parse_index(text);
    const std::size_t before = index.manifests.size();
    const lade::oci::Descriptor image =
        lade::oci::describe(std::string(lade::oci::kImageManifest), "image");
    for (const lade::Tag& tag : {lade::Tag{"name"}, lade::Tag{}, lade::Tag{"name"}}) {
      lade::name_entry(index.manifests, tag, image);
    }
    lade::fuzz::require(index.manifests.size() <= before + 1);
    const auto found = lade::find_entry(index.manifests, lade::Tag{"name"}, "layout");
    lade::fuzz::require(found && found->digest == image.digest);
    lade::fuzz::require(lade::oci::parse_index(lade::oci::serialise(index)) == index);
    (void)lade::find_entry(index.manifests, lade::Tag{}, "layout");
  } catch (const lade::Error&) {  // refused, or a choice that only a user can make
  }
  return 0;
}
