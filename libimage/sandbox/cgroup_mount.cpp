#include "libimage/sandbox/cgroup_mount.h"

#include <cerrno>

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/sandbox/cgroup.h"
#include "libimage/sandbox/mount_call.h"

namespace lade::sandbox {
namespace {

constexpr std::uint64_t kAlways = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;

UniqueFd own_group(const Hierarchy& hierarchy, const RuntimeConfig& config,
                   const MountOptions& options) {
  MountOptions parsed{.set = options.set | kAlways, .clear = options.clear};
  if (config.namespaces.contains(Namespace::cgroup)) {
    if (!hierarchy.unified) {
      for (const std::string& controller : hierarchy.controllers) {
        const std::size_t equals = controller.find('=');
        parsed.data.emplace_back(controller.substr(0, equals), equals == std::string::npos
                                                                   ? std::string(1, kNoValue)
                                                                   : controller.substr(equals + 1));
        if (equals != std::string::npos) {
          parsed.data.insert(parsed.data.begin(), {"none", std::string(1, kNoValue)});
        }
      }
    }
    const bool named =
        !hierarchy.unified && hierarchy.controllers.front().find('=') != std::string::npos;
    const std::string source =
        named ? hierarchy.mount.substr(hierarchy.mount.rfind('/') + 1) : "cgroup";
    return new_mount(hierarchy.unified ? "cgroup2" : "cgroup", source, parsed);
  }
  const std::string path = cat(hierarchy.mount, hierarchy.own);
  const UniqueFd place(::open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!place) throw_errno(cat("open ", quoted(path)));
  UniqueFd tree = clone_mount(place.get(), Depth::this_mount);
  set_attributes(tree.get(), parsed, Depth::this_mount, MS_PRIVATE);
  return tree;
}

}  // namespace

UniqueFd cgroup_tree(const RuntimeConfig& config, const MountOptions& options) {
  const std::vector<Hierarchy> all = find_hierarchies();
  if (all.size() == 1 && all.front().unified) return own_group(all.front(), config, options);
  const MountOptions place{.set = kAlways, .data = {{"mode", "755"}}};
  UniqueFd tree = new_mount("tmpfs", "tmpfs", place);
  const Staged staged(tree.get());  // a mount can be attached to one that is attached itself
  for (const Hierarchy& hierarchy : all) {
    if (hierarchy.unified) continue;
    const std::string name = hierarchy.mount.substr(hierarchy.mount.rfind('/') + 1);
    if (::mkdirat(tree.get(), name.c_str(), 0755) != 0) throw_errno("create directory");
    const UniqueFd target(::openat(tree.get(), name.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!target) throw_errno("open directory");
    attach(own_group(hierarchy, config, options).get(), target.get());
    for (const std::string& controller : hierarchy.controllers) {
      if (controller == name || hierarchy.controllers.size() == 1) continue;
      // Without it the hierarchy is still found under its own name.
      if (::symlinkat(name.c_str(), tree.get(), controller.c_str()) != 0) continue;
    }
  }
  UniqueFd detached = clone_mount(tree.get(), Depth::with_mounts_below);
  return detached;
}

}  // namespace lade::sandbox
