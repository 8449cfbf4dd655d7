#include <cerrno>
#include <chrono>
#include <thread>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/digest/hasher.h"
#include "libimage/io/atomic_file.h"
#include "libimage/io/path.h"
#include "libimage/local/local_store.h"
#include "libimage/local/store_state.h"

namespace lade {
namespace {

/// Steps that need a cache of their own at the same time; more than any machine runs.
constexpr unsigned kMostPrivate = 1000;
constexpr auto kPatience = std::chrono::milliseconds(50);

FileLock lock_waiting(const DirFd& mounts, const std::string& name, FileLock::Mode mode,
                      const std::stop_token& stop) {
  for (;;) {
    if (auto lock = FileLock::try_lock(mounts, name, mode)) return *std::move(lock);
    if (stop.stop_requested()) throw Cancelled();
    std::this_thread::sleep_for(kPatience);
  }
}

}  // namespace

LocalStore::CacheMount LocalStore::cache_mount(const CacheMountOptions& options,
                                               const std::stop_token& stop) {
  return with_context(
      [&] { return cat("cache mount ", quoted(options.id)); },
      [&] {
        const DirFd mounts = create_dir(cat(state_->path, "/mounts"), 0700);
        const std::string base(sha256_of(options.id).encoded());
        using Sharing = CacheMountOptions::Sharing;
        if (options.sharing != Sharing::exclusive) {
          const auto mode = options.sharing == Sharing::locked ? FileLock::Mode::exclusive
                                                               : FileLock::Mode::shared;
          FileLock lock = lock_waiting(mounts, cat(base, ".lock"), mode, stop);
          return CacheMount{made_cache(mounts, base, options), std::move(lock)};
        }
        for (unsigned number = 0; number < kMostPrivate; ++number) {
          const std::string name = number == 0 ? base : cat(base, "-", number);
          auto lock = FileLock::try_lock(mounts, cat(name, ".lock"), FileLock::Mode::exclusive);
          if (lock) return CacheMount{made_cache(mounts, name, options), *std::move(lock)};
        }
        throw Error(Errc::limit_exceeded, "a thousand steps use it, each for itself");
      });
}

std::string LocalStore::made_cache(const DirFd& mounts, const std::string& name,
                                   const CacheMountOptions& options) {
  const std::string path = cat(state_->path, "/mounts/", name, "/fs");
  if (::faccessat(mounts.get(), name.c_str(), F_OK, AT_SYMLINK_NOFOLLOW) == 0) return path;
  const auto room = workspace();
  {
    const DirFd tree = open_dir(room->fs_path());
    if (options.seed) options.seed(tree);
    if (options.owner && ::fchown(tree.get(), options.owner->first, options.owner->second) != 0)
      throw_errno("set its owner");
    if (::fchmod(tree.get(), options.mode) != 0) throw_errno("set its mode");
    const DirFd whole = open_dir(room->path());
    remove_tree(whole, "work");
    AtomicFile record(whole, "id", 0600);
    record.write(bytes_of(options.id));
    record.commit();
  }
  if (::renameat(AT_FDCWD, room->path().c_str(), mounts.get(), name.c_str()) != 0 &&
      errno != EEXIST && errno != ENOTEMPTY)  // somebody who shares it was first
    throw_errno("publish");
  return path;
}

}  // namespace lade
