#include "libimage/build/run_options.h"

#include <algorithm>

#include <arpa/inet.h>
#include <unistd.h>

#include "libimage/base/text.h"
#include "libimage/io/path.h"
#include "libimage/sandbox/capabilities.h"

namespace lade::build {
namespace {

std::set<std::string> all_capabilities() {
  const std::vector<std::string> names = sandbox::capability_names();
  return {names.begin(), names.end()};
}

void set_capabilities(const RunOptions& options, std::set<std::string>& capabilities) {
  const auto all = [](const std::set<std::string>& names) { return names.count("CAP_ALL") > 0; };
  if (all(options.add_capabilities)) capabilities = all_capabilities();
  if (all(options.drop_capabilities)) capabilities.clear();
  for (const std::string& name : options.add_capabilities) {
    if (name != "CAP_ALL") capabilities.insert(name);
  }
  for (const std::string& name : options.drop_capabilities) capabilities.erase(name);
}

/// The rights that the options give; nullopt: the default ones.
std::optional<sandbox::StepRights> rights_of(const RunOptions& options, Security security) {
  sandbox::StepRights rights;
  if (security == Security::insecure) {
    rights.capabilities = all_capabilities();
    rights.seccomp = sandbox::StepRights::Seccomp::unconfined;
    rights.no_new_privileges = options.no_new_privileges;
    return rights;
  }
  if (options.add_capabilities.empty() && options.drop_capabilities.empty() &&
      options.seccomp.empty() && !options.no_new_privileges)
    return std::nullopt;
  set_capabilities(options, rights.capabilities);
  rights.no_new_privileges = options.no_new_privileges;
  if (options.seccomp == "unconfined") {
    rights.seccomp = sandbox::StepRights::Seccomp::unconfined;
  } else if (!options.seccomp.empty()) {
    rights.seccomp_json = options.seccomp;
  }
  return rights;
}

void unmask(const std::vector<std::string>& paths, std::vector<std::string>& from) {
  std::erase_if(from, [&](const std::string& path) {
    return std::any_of(paths.begin(), paths.end(), [&](const std::string& unmasked) {
      return unmasked == "ALL" || path == unmasked || path.starts_with(cat(unmasked, "/"));
    });
  });
}

}  // namespace

void apply_run_options(const RunOptions& options, Security security, sandbox::RuntimeConfig& step) {
  for (const sandbox::Rlimit& limit : options.limits) step.process.rlimits.push_back(limit);
  if (options.shm_bytes) {
    for (sandbox::Mount& mount : step.mounts) {
      if (mount.destination != "/dev/shm") continue;
      std::erase_if(mount.options, [](const std::string& o) { return o.starts_with("size="); });
      mount.options.push_back(cat("size=", *options.shm_bytes));
    }
  }
  for (const RunVolume& volume : options.volumes) {
    step.mounts.push_back({.destination = volume.target,
                           .type = "bind",
                           .source = volume.source,
                           .options = {"rbind", volume.readonly ? "ro" : "rw", "nosuid", "nodev"}});
  }
  if (options.memory != sandbox::MemoryLimits{} || options.cpu != sandbox::CpuLimits{}) {
    if (!step.resources) step.resources.emplace();
    if (options.memory != sandbox::MemoryLimits{}) step.resources->memory = options.memory;
    if (options.cpu != sandbox::CpuLimits{}) step.resources->cpu = options.cpu;
  }
  for (const sandbox::StepEdits& device : options.devices) sandbox::apply_edits(device, step);
  if (!options.cgroup_parent.empty())
    step.cgroups_path =
        cat("/", options.cgroup_parent, "/lade-step-", ::getpid(), "-", random_name(8));
  if (const auto rights = rights_of(options, security)) sandbox::set_rights(step, *rights);
  unmask(options.unmask, step.masked_paths);
  unmask(options.unmask, step.readonly_paths);
  step.masked_paths.insert(step.masked_paths.end(), options.mask.begin(), options.mask.end());
  if (security != Security::insecure) return;
  step.masked_paths.clear();
  step.readonly_paths.clear();
}

bool is_ip_address(const std::string& text) {
  in6_addr address{};
  return ::inet_pton(AF_INET, text.c_str(), &address) == 1 ||
         ::inet_pton(AF_INET6, text.c_str(), &address) == 1;
}

std::vector<StepInput> inputs_of_run_options(const RunOptions& options) {
  std::vector<StepInput> out;
  const auto add = [&](std::string name, std::string value = "given") {
    out.push_back({.name = std::move(name), .value = std::move(value)});
  };
  for (const auto& [name, address] : options.hosts) add(cat("--add-host ", name));
  for (const sandbox::Rlimit& limit : options.limits)
    add(cat("--ulimit ", limit.type), cat(limit.soft, ":", limit.hard));
  for (const std::string& name : options.add_capabilities) add(cat("--cap-add ", name));
  for (const std::string& name : options.drop_capabilities) add(cat("--cap-drop ", name));
  if (options.no_new_privileges) add("--security-opt no-new-privileges");
  if (!options.seccomp.empty())
    add("--security-opt seccomp",
        options.seccomp == "unconfined" ? options.seccomp : sha256_of(options.seccomp).str());
  for (const std::string& path : options.mask) add(cat("--security-opt mask ", path));
  for (const std::string& path : options.unmask) add(cat("--security-opt unmask ", path));
  for (const std::string& word : options.device_words) add(cat("--device ", word));
  for (const RunVolume& volume : options.volumes)
    add(cat("--volume ", volume.target), cat(volume.source, volume.readonly ? " ro" : " rw"));
  return out;
}

}  // namespace lade::build
