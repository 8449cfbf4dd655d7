/// What a LocalStore holds; shared by local_store.cpp and prune.cpp.
#pragma once
#include <memory>
#include <mutex>
#include <string>

#include "libimage/base/unique_fd.h"
#include "libimage/io/file_lock.h"
#include "libimage/local/local_store.h"
#include "libimage/local/promised_blobs.h"
#include "libimage/local/session.h"
#include "libimage/local/step_record.h"
#include "libimage/store/layout_store.h"

namespace lade {

struct LocalStore::State {
  explicit State(const std::string& directory);

  std::string path;
  DirFd dir;
  LayoutStore images;  ///< before the lock's file: it refuses directories with other content
  FileLock in_use;     ///< shared while the store is open; prune() makes it exclusive
  DirFd snapshots = {};
  DirFd steps = {};
  DirFd tmp = {};
  std::string boot;  ///< this boot's ID
  PromisedBlobs promised = {};
  StoreContents contents{images, promised};

  std::shared_ptr<Workspace::Session> session();
  std::optional<SnapshotRecord> record_of(const std::string& snapshot) const;

 private:
  std::mutex mutex_;
  std::shared_ptr<Workspace::Session> session_;  // guarded by mutex_
};

/// Name of a snapshot's directory.
std::string snapshot_name(const ChainId& chain, SnapshotForm form);

}  // namespace lade
