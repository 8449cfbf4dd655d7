#include "libimage/sandbox/devices.h"

#include <algorithm>
#include <array>
#include <cerrno>

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/io/path.h"
#include "libimage/sandbox/mount_call.h"

namespace lade::sandbox {
namespace {

struct Known {
  const char* name;
  unsigned major;
  unsigned minor;
};
constexpr std::array<Known, 6> kDevices = {{{"null", 1, 3},
                                            {"zero", 1, 5},
                                            {"full", 1, 7},
                                            {"random", 1, 8},
                                            {"urandom", 1, 9},
                                            {"tty", 5, 0}}};
constexpr std::array<std::pair<const char*, const char*>, 5> kLinks = {
    {{"/proc/self/fd", "fd"},
     {"/proc/self/fd/0", "stdin"},
     {"/proc/self/fd/1", "stdout"},
     {"/proc/self/fd/2", "stderr"},
     {"pts/ptmx", "ptmx"}}};

/// /dev of the container where it gets the devices of every container; none elsewhere.
UniqueFd own_dev(const RuntimeConfig& config, MountPoints& points) {
  const Mount* last = nullptr;
  for (const Mount& mount : config.mounts) {
    if (clean_path(mount.destination) == "dev") last = &mount;
  }
  const bool wanted = last != nullptr ? last->type == "tmpfs" && !is_bind(*last)
                                      : config.root.device_nodes == DeviceNodes::effective;
  if (!wanted) return {};
  const auto keep = last != nullptr ? MountPoints::Keep::until_unmade : MountPoints::Keep::for_good;
  const UniqueFd place = points.open("/dev", MountPoints::Kind::directory, keep);
  UniqueFd dev(::openat(place.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!dev) throw_errno("open /dev");
  return dev;
}

mode_t type_of(const Device& device) {
  if (device.type == "b") return S_IFBLK;
  return device.type == "p" ? S_IFIFO : S_IFCHR;
}

bool is_same(const struct stat& found, const Device& device) {
  if ((found.st_mode & S_IFMT) != type_of(device)) return false;
  return device.type == "p" || found.st_rdev == makedev(static_cast<unsigned>(device.major),
                                                        static_cast<unsigned>(device.minor));
}

/// The node of the host that is this device, checked: a bind takes what is there.
UniqueFd host_node(const Device& device) {
  const std::string& path = device.host_path.empty() ? device.path : device.host_path;
  UniqueFd node(::open(path.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
  struct stat found {};
  if (!node || ::fstat(node.get(), &found) != 0) throw_errno("open the host's");
  if (!is_same(found, device)) throw Error(Errc::denied, "the host's is another device");
  return node;
}

void bind_node(int dir, const std::string& name, const Device& device) {
  const UniqueFd tree = clone_mount(host_node(device).get(), Depth::this_mount);
  const UniqueFd made(
      ::openat(dir, name.c_str(), O_CREAT | O_NOFOLLOW | O_WRONLY | O_CLOEXEC, 0666));
  if (!made) throw_errno("create");
  const UniqueFd target(::openat(dir, name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
  if (!target) throw_errno("open");
  attach(tree.get(), target.get());
}

enum class Found { is_taken, is_an_error };

void make_node(int dir, const std::string& name, const Device& device, Found others) {
  const mode_t mode = device.file_mode.value_or(0666) & 07777;
  const dev_t number =
      makedev(static_cast<unsigned>(device.major), static_cast<unsigned>(device.minor));
  if (::mknodat(dir, name.c_str(), type_of(device) | mode, number) != 0) {
    if (errno == EPERM) return bind_node(dir, name, device);
    if (errno != EEXIST) throw_errno("create");
    struct stat found {};
    if (::fstatat(dir, name.c_str(), &found, AT_SYMLINK_NOFOLLOW) != 0) throw_errno("stat");
    if (others == Found::is_an_error && !is_same(found, device)) {
      throw Error(Errc::already_exists, "something else is there");
    }
    return;
  }
  // The umask, if the caller has one, and the ids.
  if (::fchmodat(dir, name.c_str(), mode, 0) != 0 ||
      ::fchownat(dir, name.c_str(), device.uid, device.gid, AT_SYMLINK_NOFOLLOW) != 0) {
    throw_errno("set owner and mode");
  }
}

void make_configured(const Device& device, MountPoints& points) {
  const std::string path = clean_path(device.path);
  const std::size_t slash = path.rfind('/');
  const UniqueFd place = points.open(slash == std::string::npos ? "/" : path.substr(0, slash),
                                     MountPoints::Kind::directory, MountPoints::Keep::for_good);
  const UniqueFd dir(::openat(place.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!dir) throw_errno("open its directory");
  make_node(dir.get(), path.substr(slash == std::string::npos ? 0 : slash + 1), device,
            Found::is_an_error);
}

}  // namespace

void make_devices(const RuntimeConfig& config, MountPoints& points) {
  if (const UniqueFd dev = own_dev(config, points)) {
    for (const Known& known : kDevices) {
      const Device device{.path = cat("/dev/", known.name),
                          .type = "c",
                          .major = known.major,
                          .minor = known.minor};
      with_context([&] { return cat("create device ", known.name); },
                   [&] { make_node(dev.get(), known.name, device, Found::is_taken); });
    }
    for (const auto& [target, name] : kLinks) {
      if (::symlinkat(target, dev.get(), name) != 0 && errno != EEXIST) {
        throw_errno(cat("create link ", name));
      }
    }
  }
  for (const Device& device : config.devices) {
    with_context([&] { return cat("create device ", quoted(device.path)); },
                 [&] { make_configured(device, points); });
  }
}

}  // namespace lade::sandbox
