/// tmp/: each process has one directory there, alive while its `lock` file is locked.
#pragma once
#include <atomic>
#include <cstdint>
#include <string>

#include "libimage/base/unique_fd.h"
#include "libimage/io/file_lock.h"
#include "libimage/local/local_store.h"

namespace lade {

/// This process's directory under tmp/ of a store; removed on destruction.
struct LocalStore::Workspace::Session {
  /// `tmp` is a descriptor of the store's tmp/ (not O_PATH); `tmp_path` its absolute path.
  Session(const DirFd& tmp, const std::string& tmp_path);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  DirFd tmp;
  std::string name;
  std::string path;  ///< absolute
  DirFd dir = {};
  std::optional<FileLock> lock = {};
  std::atomic<std::uint64_t> next_workspace = 0;
};

/// Removes the directories under tmp/ whose process is dead. Never fails: what cannot be removed
/// now is the next opener's business.
void sweep_sessions(const DirFd& tmp) noexcept;

/// Names in `dir` without "." and "..", unsorted.
std::vector<std::string> names_of(const DirFd& dir);

}  // namespace lade
