#include "libimage/storage/driver.h"

#include <cerrno>

#include <fcntl.h>
#include <sys/stat.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/io/path.h"

namespace lade {

DirFd open_store_dir(const DirFd& parent, const std::string& name, StoreAccess access,
                     mode_t mode) {
  if (access == StoreAccess::write && ::mkdirat(parent.get(), name.c_str(), mode) != 0 &&
      errno != EEXIST) {
    throw_errno(cat("create directory ", quoted(name)));
  }
  return DirFd(open_entry(parent, name, O_RDONLY | O_DIRECTORY));
}

std::unique_ptr<GraphDriver> open_driver(std::string_view name, const DirFd& graph_root,
                                         StoreAccess access) {
  if (name == "overlay") return open_overlay(graph_root, access);
  if (name == "vfs") return open_vfs(graph_root, access);
  throw Error(Errc::unsupported,
              cat("storage driver ", quoted(name), " is not supported; overlay and vfs are"));
}

}  // namespace lade
