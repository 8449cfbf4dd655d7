#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "libimage/build/account.h"
#include "libimage/io/stream.h"
#include "libimage/layer/snapshot.h"

namespace lade::build {

/// The tree that a tar holds, known from its headers.
struct ArchiveList {
  Snapshot snapshot = {};
  /// Of each regular file: where its content begins in the stream.
  std::map<std::string, std::uint64_t> offsets = {};
};

/// Reads `tar` to its end. nullopt if only a file system can tell what unpacking it would give:
/// names given twice or below what is no directory, directories left out, sparse files, devices,
/// extended attributes and the like; and where this process could not set owners. With `owner`
/// every entry is its. `device` is that of the inodes, unlike that of any other tree. Throws
/// Error{invalid_content, limit_exceeded} for a broken tar.
std::optional<ArchiveList> list_archive(Source& tar, const std::optional<Owner>& owner,
                                        std::uint64_t device);

}  // namespace lade::build
