// The YAML files of `lade sync`: refused with an Error, or read within the bounds.
#include "libimage/config/sync_config.h"

#include "libimage/base/error.h"
#include "libimage/config/yaml.h"

#include "fuzz/property.h"

namespace {

std::size_t count(const lade::YamlValue& value, std::size_t depth) {
  lade::fuzz::require(depth <= lade::kMaxYamlDepth);
  std::size_t nodes = 1;
  for (const lade::YamlValue& item : value.items) nodes += count(item, depth + 1);
  for (const lade::YamlValue& member : value.members) nodes += count(member, depth + 1);
  return nodes;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = lade::fuzz::text_of(data, size);
  try {
    lade::fuzz::require(count(lade::parse_yaml(text), 0) <= lade::kMaxYamlNodes);
    for (const lade::SyncRegistry& registry : lade::SyncConfig::parse(text).registries) {
      lade::fuzz::require(registry.name.size() <= size);
    }
  } catch (const lade::Error&) {  // refused
    return 0;
  }
  return 0;
}
