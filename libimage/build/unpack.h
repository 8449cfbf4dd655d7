#pragma once
#include <memory>
#include <optional>

#include "libimage/build/account.h"
#include "libimage/layer/snapshot.h"
#include "libimage/local/local_store.h"

namespace lade::build {

/// A tar that ADD was given, unpacked in the store's temporary room.
struct UnpackedArchive {
  std::unique_ptr<LocalStore::Workspace> room;
  std::shared_ptr<const DirFd> root;
  Snapshot snapshot;
};

/// Unpacks `file` if its content is a tar (plain, gzip, bzip2, xz or zstd: the first header
/// decodes), else nullopt. With `owner` every entry is its. Throws what apply_layer() throws.
std::optional<UnpackedArchive> unpack_if_archive(LocalStore& store, const ContentRef& file,
                                                 const std::optional<Owner>& owner);

}  // namespace lade::build
