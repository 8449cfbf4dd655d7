#include <fcntl.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/io/path.h"
#include "libimage/runtime/config_json.h"
#include "libimage/runtime/container.h"
#include "libimage/sandbox/validate.h"

namespace lade::runtime {

sandbox::RuntimeConfig load_bundle(const std::string& bundle) {
  const auto directory = real_path(bundle);
  if (!directory) throw_errno(cat("open bundle ", quoted(bundle)));
  sandbox::RuntimeConfig config =
      parse_config(read_file(cat(*directory, "/config.json"), kMaxConfigBytes));
  if (config.process == sandbox::Process{}) {
    throw Error(Errc::invalid_content, "config.json: process: is missing");
  }
  if (config.root.path.empty()) {
    throw Error(Errc::invalid_content, "config.json: root.path: is missing");
  }
  const std::string named = config.root.path;
  const auto root = real_path(named.front() == '/' ? named : cat(*directory, "/", named));
  if (!root) throw_errno(cat("open root.path ", quoted(named)));
  config.root.path = *root;
  config.root.device_nodes = sandbox::DeviceNodes::effective;
  for (sandbox::Mount& mount : config.mounts) {
    if (is_bind(mount) && !mount.source.empty() && mount.source.front() != '/') {
      mount.source = cat(*directory, "/", mount.source);
    }
  }
  sandbox::validate(config);
  return config;
}

}  // namespace lade::runtime
