#include "tools/common/container_storage.h"

#include <limits>

#include "libimage/base/text.h"
#include "libimage/config/storage_conf.h"

#include "tools/common/process.h"
#include "tools/common/user_file.h"

namespace lade::tools {
namespace {

/// Whose store it is: inside of 'podman unshare' root is the user who called it.
std::uint32_t store_user(const Environment& environment) {
  const auto outer = parse_decimal(environment.variable("_CONTAINERS_ROOTLESS_UID"));
  if (!outer || *outer > std::numeric_limits<std::uint32_t>::max()) return process_uid();
  return static_cast<std::uint32_t>(*outer);
}

StorageConfSources sources_of(const Environment& environment) {
  StorageConfSources sources;
  sources.user = store_user(environment);
  sources.explicit_file = environment.variable("CONTAINERS_STORAGE_CONF");
  // Root has a file of its own only where the variable says so.
  if (sources.user != 0 || !environment.variable("XDG_CONFIG_HOME").empty()) {
    sources.user_file =
        user_file(environment, "XDG_CONFIG_HOME", ".config", "containers/storage.conf");
  }
  sources.system_files = {"/etc/containers/storage.conf", "/usr/share/containers/storage.conf"};
  sources.user_graph_root =
      user_file(environment, "XDG_DATA_HOME", ".local/share", "containers/storage");
  const std::string runtime = environment.variable("XDG_RUNTIME_DIR");
  sources.user_run_root =
      cat(runtime.empty() ? cat("/run/user/", sources.user) : runtime, "/containers");
  sources.driver = environment.variable("STORAGE_DRIVER");
  sources.driver_options = environment.variable("STORAGE_OPTS");
  sources.variable = [&environment, user = sources.user](const std::string& name) {
    return name == "UID" ? cat(user) : environment.variable(name);
  };
  return sources;
}

}  // namespace

std::function<ContainersStorage()> containers_storage(const Environment& environment) {
  return [environment] {
    StorageConf conf = find_storage(sources_of(environment));
    return ContainersStorage{.driver = std::move(conf.driver),
                             .graph_root = std::move(conf.graph_root),
                             .run_root = std::move(conf.run_root),
                             .image_stores = std::move(conf.image_stores),
                             .driver_options = std::move(conf.driver_options)};
  };
}

}  // namespace lade::tools
