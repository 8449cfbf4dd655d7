#include "libimage/storage/tree_files.h"

#include <cerrno>

#include <fcntl.h>
#include <sys/stat.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/io/path.h"

namespace lade {

UniqueFd TreeFiles::open(const std::string& name, std::uint64_t size) const {
  UniqueFd fd = try_open_in_root(root_, name, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
  if (!fd && (errno == ENOENT || errno == ENOTDIR)) {
    throw Error(Errc::invalid_content, cat("file ", quoted(name), " of the layer is missing"));
  }
  if (!fd) throw_errno(cat("open ", quoted(name), " of the layer"));
  struct stat st {};
  if (::fstat(fd.get(), &st) != 0) throw_errno(cat("stat ", quoted(name)));
  if (!S_ISREG(st.st_mode) || static_cast<std::uint64_t>(st.st_size) != size) {
    throw Error(Errc::invalid_content,
                cat("file ", quoted(name), " of the layer has changed since it was stored"));
  }
  return fd;
}

}  // namespace lade
