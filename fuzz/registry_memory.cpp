// What a registry's files in the cache say: any text is read, and what is read is written the same.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "libimage/transports/docker_memory.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto traits = lade::docker::parse_traits(text);
  if (lade::docker::parse_traits(lade::docker::text_of(traits)) != traits) std::abort();
  const auto sightings = lade::docker::parse_sightings(text);
  if (lade::docker::parse_sightings(lade::docker::text_of(sightings)) != sightings) std::abort();
  if (const auto upload = lade::docker::parse_upload(text)) {
    if (lade::docker::parse_upload(lade::docker::text_of(*upload)) != upload) std::abort();
  }
  return 0;
}
