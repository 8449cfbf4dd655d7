// registries.conf: refused with an Error, or read to rules by which every name leads somewhere.
#include "libimage/base/error.h"
#include "libimage/config/registry_places.h"

#include "property.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    lade::RegistriesConf conf =
        lade::RegistriesConf::parse(lade::fuzz::text_of(data, size), "file");
    for (std::size_t i = 1; i < conf.rules.size(); ++i) {
      lade::fuzz::require(conf.rules[i - 1].prefix < conf.rules[i].prefix);
    }
    const lade::RegistriesConf copy = conf;
    conf.merge(copy);
    lade::fuzz::require(conf == copy);
    for (const char* name :
         {"registry.example/team/app:1", "a.registry.example:5000/app", "debian"}) {
      try {
        (void)lade::find_places(conf, lade::Reference::parse(name));
        lade::fuzz::require(!lade::expand_short_name(conf, name).empty());
      } catch (const lade::Error&) {  // no name comes of it, or a choice is demanded
        continue;
      }
    }
  } catch (const lade::Error&) {  // refused
    return 0;
  }
  return 0;
}
