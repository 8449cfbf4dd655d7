#include "tools/common/policy.h"

#include "libimage/base/text.h"
#include "libimage/transports/transports.h"

#include "tools/common/images.h"

namespace lade::tools {

Policy system_policy(const Environment& environment) {
  std::vector<std::string> paths = {"/etc/containers/policy.json",
                                    "/usr/share/containers/policy.json"};
  const std::string config = environment.variable("XDG_CONFIG_HOME");
  const std::string home = environment.variable("HOME");
  if (!home.empty()) paths.insert(paths.begin(), cat(home, "/.config/containers/policy.json"));
  if (!config.empty()) paths.insert(paths.begin(), cat(config, "/containers/policy.json"));
  return Policy::read_first(paths).value_or(Policy{});
}

void enforce_policy(const std::string& name, const Environment& environment) {
  if (!has_transport(name)) return;
  check_policy(system_policy(environment), parse_image_name(name), printable(name));
}

}  // namespace lade::tools
