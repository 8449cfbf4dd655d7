#include "libimage/local/session.h"

#include <cerrno>
#include <memory>
#include <utility>
#include <vector>

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/io/path.h"

namespace lade {
namespace {

constexpr const char* kLockName = "lock";

/// A lock on tmp/ itself: shared while a session directory is made but not locked yet, exclusive
/// while somebody decides which ones are dead. Taken on a descriptor of its own, as flock belongs
/// to the open file.
UniqueFd lock_tmp(const DirFd& tmp, int operation) {
  UniqueFd fd(::openat(tmp.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) throw_errno("open temporary directory of the store");
  while (::flock(fd.get(), operation) != 0) {
    if (errno == EWOULDBLOCK) return UniqueFd();
    if (errno != EINTR) throw_errno("lock temporary directory of the store");
  }
  return fd;
}

/// The lock file of a dead session, locked by us now; nullopt if its process lives. A session
/// without the file died before it had one.
struct Dead {
  std::string name;
  UniqueFd lock;
};
std::optional<Dead> take_if_dead(const DirFd& tmp, const std::string& name) {
  const UniqueFd dir(
      ::openat(tmp.get(), name.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!dir) return Dead{name, UniqueFd()};  // no session's: a stray file
  UniqueFd lock(::openat(dir.get(), kLockName, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (lock && ::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) return std::nullopt;
  return Dead{name, std::move(lock)};
}

}  // namespace

std::vector<std::string> names_of(const DirFd& dir) {
  UniqueFd copy(::openat(dir.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!copy) throw_errno("open directory");
  struct CloseDir {
    void operator()(DIR* stream) const noexcept { ::closedir(stream); }
  };
  const std::unique_ptr<DIR, CloseDir> stream(::fdopendir(copy.get()));
  if (!stream) throw_errno("read directory");
  (void)copy.release();  // the stream owns it now
  std::vector<std::string> names;
  for (;;) {
    errno = 0;
    const dirent* entry = ::readdir(stream.get());
    if (entry == nullptr) break;
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  if (errno != 0) throw_errno("read directory");
  return names;
}

LocalStore::Workspace::Session::Session(const DirFd& tmp_dir, const std::string& tmp_path)
    : tmp(duplicate(tmp_dir)) {
  const UniqueFd making = lock_tmp(tmp, LOCK_SH);
  do {
    name = random_name(12);
    if (::mkdirat(tmp.get(), name.c_str(), 0700) == 0) break;
    if (errno != EEXIST) throw_errno("create temporary directory of the store");
  } while (true);
  path = cat(tmp_path, "/", name);
  dir = DirFd(open_entry(tmp, name, O_RDONLY | O_DIRECTORY));
  lock = FileLock::try_lock(dir, kLockName, FileLock::Mode::exclusive);
  if (!lock) throw Error(Errc::internal, "lock of a new temporary directory is taken");
}

LocalStore::Workspace::Session::~Session() {
  try {
    remove_tree(tmp, name);
  } catch (const std::exception&) {  // swept by the next process that opens the store
  }
}

void sweep_sessions(const DirFd& tmp) noexcept {
  try {
    if (names_of(tmp).empty()) return;
    std::vector<Dead> dead;
    {
      const UniqueFd deciding = lock_tmp(tmp, LOCK_EX | LOCK_NB);
      if (!deciding) return;
      for (const std::string& name : names_of(tmp)) {
        if (auto found = take_if_dead(tmp, name)) dead.push_back(std::move(*found));
      }
    }
    for (const Dead& one : dead) {
      try {
        remove_tree(tmp, one.name);
      } catch (const std::exception&) {  // another sweeper is at it, or it cannot be removed
      }
    }
  } catch (const std::exception&) {  // sweeping is a courtesy; the store works without it
  }
}

}  // namespace lade
