#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "libimage/build/account.h"
#include "libimage/build/source_tree.h"
#include "libimage/layer/snapshot.h"
#include "libimage/local/local_store.h"

namespace lade::build {

/// The tree of a tar that ADD was given.
struct UnpackedArchive {
  Snapshot snapshot = {};
  /// Where the bytes of a regular file of `snapshot` are; valid while the object lives.
  std::function<ContentRef(const std::string& path)> content = {};
  std::optional<Sha256> digest = {};  ///< of the archive, if all of it was read
  /// Holds what was unpacked; null where the contents are read from the archive itself.
  std::unique_ptr<LocalStore::Workspace> room = {};
};

/// The tree of `file` if its content is a tar (plain, gzip, bzip2, xz or zstd: the first header
/// decodes), else nullopt. It is unpacked into the store's temporary room only where its headers
/// alone do not tell what that would give. With `owner` every entry is its. `number` differs
/// between the archives of one layer. Throws what apply_layer() throws.
std::optional<UnpackedArchive> unpack_if_archive(LocalStore& store, const ContentRef& file,
                                                 const std::optional<Owner>& owner,
                                                 std::size_t number);

}  // namespace lade::build
