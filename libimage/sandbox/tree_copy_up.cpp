#include "libimage/sandbox/tree_copy_up.h"

#include <array>
#include <climits>
#include <string>

#include <fcntl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/io/path.h"

namespace lade::sandbox {
namespace {

constexpr int kMaxDepth = 1000;

void copy_file(const DirFd& from, const DirFd& to, const std::string& name, mode_t mode) {
  const UniqueFd source = open_entry(from, name, O_RDONLY | O_NONBLOCK);
  const UniqueFd target = open_entry(to, name, O_WRONLY | O_CREAT | O_EXCL, mode);
  for (;;) {
    const ssize_t sent = ::sendfile(target.get(), source.get(), nullptr, 1U << 20U);
    if (sent < 0) throw_errno(cat("copy ", quoted(name)));
    if (sent == 0) return;
  }
}

void copy_link(const DirFd& from, const DirFd& to, const std::string& name) {
  std::array<char, PATH_MAX> target{};
  const ssize_t size = ::readlinkat(from.get(), name.c_str(), target.data(), target.size() - 1);
  if (size < 0 || ::symlinkat(target.data(), to.get(), name.c_str()) != 0) {
    throw_errno(cat("copy ", quoted(name)));
  }
}

void copy_entries(const DirFd& from, const DirFd& to, int depth);

void copy_entry(const DirFd& from, const DirFd& to, const std::string& name, int depth) {
  const auto found = stat_entry(from, name);
  if (!found) return;
  const mode_t mode = found->st_mode & 07777;
  if (S_ISDIR(found->st_mode)) {
    if (::mkdirat(to.get(), name.c_str(), 0700) != 0) throw_errno(cat("copy ", quoted(name)));
    copy_entries(DirFd(open_entry(from, name, O_RDONLY | O_DIRECTORY)),
                 DirFd(open_entry(to, name, O_RDONLY | O_DIRECTORY)), depth + 1);
  } else if (S_ISREG(found->st_mode)) {
    copy_file(from, to, name, mode);
  } else if (S_ISLNK(found->st_mode)) {
    copy_link(from, to, name);
  } else {
    return;
  }
  if (::fchownat(to.get(), name.c_str(), found->st_uid, found->st_gid, AT_SYMLINK_NOFOLLOW) != 0 ||
      (!S_ISLNK(found->st_mode) && ::fchmodat(to.get(), name.c_str(), mode, 0) != 0)) {
    throw_errno(cat("copy ", quoted(name)));
  }
}

void copy_entries(const DirFd& from, const DirFd& to, int depth) {
  if (depth > kMaxDepth) throw Error(Errc::limit_exceeded, "copy: the tree is too deep");
  for (const std::string& name : list_names(from)) copy_entry(from, to, name, depth);
}

}  // namespace

void copy_tree_up(int from, int to) {
  const DirFd source(::openat(from, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  const DirFd target(::openat(to, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!source || !target) throw_errno("copy the directory's content");
  copy_entries(source, target, 0);
  struct stat found {};
  if (::fstat(source.get(), &found) != 0 || ::fchmod(target.get(), found.st_mode & 07777) != 0 ||
      ::fchown(target.get(), found.st_uid, found.st_gid) != 0) {
    throw_errno("copy the directory's attributes");
  }
}

}  // namespace lade::sandbox
