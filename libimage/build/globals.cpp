#include "libimage/build/globals.h"

#include <algorithm>

#include "libimage/base/text.h"
#include "libimage/build/word.h"
#include "libimage/name/platform.h"

namespace lade::build {

Environment global_variables(const Containerfile& file,
                             const std::map<std::string, std::string>& build_args,
                             const std::string& target, const oci::Platform& platform) {
  Environment globals;
  const auto set_platform = [&](std::string_view prefix, const oci::Platform& value) {
    const std::string variant = value.variant.empty() ? "" : cat("/", value.variant);
    set_variable(globals, cat(prefix, "PLATFORM"), cat(value.os, "/", value.architecture, variant));
    set_variable(globals, cat(prefix, "OS"), value.os);
    set_variable(globals, cat(prefix, "OSVERSION"), value.os_version);
    set_variable(globals, cat(prefix, "ARCH"), value.architecture);
    set_variable(globals, cat(prefix, "VARIANT"), value.variant);
  };
  set_platform("BUILD", host_platform());
  set_platform("TARGET", platform);
  set_variable(globals, "TARGETSTAGE", target.empty() ? std::string("default") : target);
  for (const auto& [name, value] : build_args) {
    if (get_variable(globals, name)) set_variable(globals, name, value);
  }
  const Expander expander([&](std::string_view name) { return get_variable(globals, name); },
                          file.escape);
  for (const GlobalArg& arg : file.global_args) {
    try {
      const auto given = build_args.find(arg.name);
      if (given != build_args.end()) {
        set_variable(globals, arg.name, given->second);
      } else if (arg.value) {
        set_variable(globals, arg.name, expander.word(*arg.value));
      }
    } catch (const Error& e) {
      throw file.source->error(e.code(), arg.lines, e.what());
    }
  }
  return globals;
}

std::vector<BuildTarget> build_targets(const Containerfile& file, const BuildOptions& options) {
  std::vector<oci::Platform> platforms = options.platforms;
  if (platforms.empty()) platforms.push_back(host_platform());
  std::vector<BuildTarget> targets;
  for (oci::Platform& platform : platforms) {
    platform = normalised(std::move(platform));
    const bool known = std::any_of(targets.begin(), targets.end(), [&](const BuildTarget& target) {
      return target.platform == platform;
    });
    if (known) continue;
    Environment globals = global_variables(file, options.build_args, options.target, platform);
    targets.push_back({.platform = std::move(platform), .globals = std::move(globals)});
  }
  return targets;
}

}  // namespace lade::build
