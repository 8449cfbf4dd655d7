#include "libimage/io/xattr_names.h"

#include <atomic>
#include <cerrno>

#include <fcntl.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "libimage/base/text.h"
#include "libimage/io/path.h"

namespace lade {
namespace {

#ifdef SYS_listxattrat
constexpr long kListxattrat = SYS_listxattrat;
#elif defined(__alpha__)
constexpr long kListxattrat = -1;
#else
constexpr long kListxattrat = 465;  // the same on every other architecture
#endif

}  // namespace

ssize_t list_xattr_names(int dir, const char* name, char* out, std::size_t size) {
  static std::atomic<bool> known = true;
  if (known.load(std::memory_order_relaxed)) {
    const long got = ::syscall(kListxattrat, dir, name, AT_SYMLINK_NOFOLLOW, out, size);
    // A container's seccomp filter that does not know the call answers EPERM, which it never does.
    if (got >= 0 || (errno != ENOSYS && errno != EPERM)) return got;
    known.store(false, std::memory_order_relaxed);
  }
  return ::llistxattr(cat(proc_path(dir), "/", name).c_str(), out, size);
}

}  // namespace lade
