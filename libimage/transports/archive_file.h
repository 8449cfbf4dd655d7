#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "libimage/store/store.h"
#include "libimage/transports/archive_index.h"

namespace lade {

/// A tar archive opened for reading, its members found by name. A compressed one is first
/// decompressed into a file without a name under SessionOptions::temp_root. Thread-safe.
class ArchiveFile {
 public:
  /// Throws Error{not_found}, Error{unsupported} for what is no regular file, and as
  /// ArchiveIndex::read and the codecs do.
  ArchiveFile(const std::string& path, const SessionOptions& options);

  [[nodiscard]] const std::string& path() const noexcept { return path_; }
  /// As ArchiveIndex::find().
  [[nodiscard]] const ArchiveMember* find(std::string_view name) const;
  /// As find(); an absent member is Error{not_found}.
  [[nodiscard]] const ArchiveMember& member(std::string_view name) const;
  /// The content of a small member, whole.
  [[nodiscard]] std::string text(std::string_view name, std::uint64_t limit) const;
  /// The content of a member. Unverified.
  [[nodiscard]] std::unique_ptr<Source> open(const ArchiveMember& member) const;

 private:
  std::string path_;
  std::shared_ptr<const UniqueFd> fd_;
  ArchiveIndex index_;
};

}  // namespace lade
