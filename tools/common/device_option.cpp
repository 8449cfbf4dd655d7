#include "tools/common/device_option.h"

#include <memory>
#include <mutex>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/config/cdi.h"

#include "tools/common/options.h"

namespace lade::tools {
namespace {

using sandbox::StepEdits;

sandbox::GrantedDevice device_of(const CdiDeviceNode& node) {
  const std::string host = node.host_path.empty() ? node.path : node.host_path;
  sandbox::GrantedDevice out;
  if (node.type.empty() || (node.type != "p" && !(node.major && node.minor))) {
    out.node = sandbox::host_device(host, node.path);
    if (!node.type.empty() && node.type != "u" && node.type != out.node.type)
      throw Error(Errc::invalid_content, cat("device ", quoted(host), " is of another type"));
  } else {
    out.node = {.path = node.path, .type = node.type};
    if (host != node.path) out.node.host_path = host;
  }
  if (node.major) out.node.major = *node.major;
  if (node.minor) out.node.minor = *node.minor;
  if (node.file_mode) out.node.file_mode = *node.file_mode;
  if (node.uid) out.node.uid = *node.uid;
  if (node.gid) out.node.gid = *node.gid;
  if (!node.permissions.empty()) out.access = node.permissions;
  return out;
}

std::vector<sandbox::Hook>& hooks_called(const std::string& name, sandbox::Hooks& hooks) {
  if (name == "prestart") return hooks.prestart;
  if (name == "createRuntime") return hooks.create_runtime;
  if (name == "createContainer") return hooks.create_container;
  if (name == "startContainer") return hooks.start_container;
  if (name == "poststart") return hooks.poststart;
  if (name == "poststop") return hooks.poststop;
  throw Error(Errc::invalid_content, cat("there is no hook ", quoted(name)));
}

StepEdits edits_of(const CdiEdits& cdi) {
  StepEdits out{.env = cdi.env, .additional_gids = cdi.additional_gids};
  for (const CdiDeviceNode& node : cdi.device_nodes) out.devices.push_back(device_of(node));
  for (const CdiMount& mount : cdi.mounts) {
    sandbox::Mount made{.destination = mount.container_path,
                        .type = mount.type.empty() ? "bind" : mount.type,
                        .source = mount.host_path,
                        .options = mount.options};
    if (made.type == "bind" && made.options.empty()) made.options = {"rbind", "ro"};
    out.mounts.push_back(std::move(made));
  }
  for (const CdiHook& hook : cdi.hooks) {
    hooks_called(hook.name, out.hooks)
        .push_back(
            {.path = hook.path, .args = hook.args, .env = hook.env, .timeout = hook.timeout});
  }
  return out;
}

struct Registry {
  std::mutex mutex;
  std::optional<CdiRegistry> read;  // guarded by mutex
};

}  // namespace

std::function<std::optional<StepEdits>(const std::string& name)> cdi_finder() {
  const auto registry = std::make_shared<Registry>();
  return [registry](const std::string& name) -> std::optional<StepEdits> {
    const std::scoped_lock lock(registry->mutex);
    if (!registry->read) registry->read = CdiRegistry::read(cdi_directories());
    const auto found = registry->read->find(name);
    if (!found) return std::nullopt;
    return with_context([&] { return cat("device ", quoted(name)); },
                        [&] { return edits_of(*found); });
  };
}

std::vector<StepEdits> read_devices(const std::vector<std::string>& words) {
  std::vector<StepEdits> out;
  const auto find = cdi_finder();
  for (const std::string& word : words) {
    if (is_cdi_name(word)) {
      auto found = find(word);
      if (!found)
        throw Error(Errc::not_found, cat("option --device: no specification in /etc/cdi or "
                                         "/var/run/cdi has ",
                                         quoted(word)));
      out.push_back(std::move(*found));
      continue;
    }
    try {
      out.push_back(sandbox::edits_of_device(word));
    } catch (const Error& e) {
      if (e.code() != Errc::invalid_argument) throw e.in("option --device");
      throw UsageError(cat("option --device: ", e.what()));
    }
  }
  return out;
}

}  // namespace lade::tools
