#include "libimage/storage/staging_dir.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/io/path.h"
#include "libimage/storage/driver.h"

namespace lade {
namespace {

constexpr const char* kParent = ".lade-staging";
constexpr const char* kLock = ".lock";
constexpr std::size_t kNameLength = 16;

/// Removes directories whose owners are dead. The caller holds the parent's lock.
void sweep(const DirFd& parent) {
  for (const std::string& name : list_names(parent)) {
    if (name == kLock) continue;
    const DirFd dir(UniqueFd(
        ::openat(parent.get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)));
    if (!dir || !FileLock::try_lock(dir, kLock, FileLock::Mode::exclusive)) continue;
    try {
      remove_tree(parent, name);
    } catch (const Error&) {  // left for the next writer
      continue;
    }
  }
}

}  // namespace

StagingDir::StagingDir(const DirFd& driver_home)
    : parent_(open_store_dir(driver_home, kParent, StoreAccess::write)),
      name_(random_name(kNameLength)) {
  const FileLock lock(parent_, kLock, FileLock::Mode::exclusive);
  sweep(parent_);
  dir_ = open_store_dir(parent_, name_, StoreAccess::write);
  alive_.emplace(dir_, kLock, FileLock::Mode::exclusive);
}

StagingDir::~StagingDir() {
  try {
    remove_tree(parent_, name_);
  } catch (const Error&) {  // the next writer finds it unlocked
    return;
  }
}

std::string StagingDir::new_name() { return cat("layer", count_.fetch_add(1)); }

}  // namespace lade
