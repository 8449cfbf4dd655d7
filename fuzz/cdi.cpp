// Specifications of devices (CDI) that vendors' programs write.
#include "libimage/config/cdi.h"

#include <cstddef>
#include <cstdint>

#include "libimage/base/error.h"

#include "fuzz/property.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = lade::fuzz::text_of(data, size);
  (void)lade::is_cdi_name(text);
  try {
    const lade::CdiSpec spec = lade::CdiSpec::parse(text);
    for (const auto& [name, edits] : spec.devices) {
      lade::fuzz::require(lade::is_cdi_name(spec.kind + "=" + name));
      for (const lade::CdiDeviceNode& node : edits.device_nodes)
        lade::fuzz::require(node.path.starts_with('/'));
    }
  } catch (const lade::Error&) {  // refused
    return 0;
  }
  return 0;
}
