#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "libimage/store/store.h"
#include "libimage/transports/archive_index.h"

namespace lade {

/// A tar archive opened for reading, its members found by name and read where they lie. Of a
/// compressed one gzip and zstd in frames are entered in the middle (SeekTable); xz, bzip2 and zstd
/// in one long frame are decompressed once into a file without a name under
/// SessionOptions::temp_root. Thread-safe.
class ArchiveFile {
 public:
  /// The file or stream `path`, as open_input_file(). Throws what that does, and as
  /// ArchiveIndex::read and the codecs do.
  ArchiveFile(const std::string& path, const SessionOptions& options);
  /// The archive that `stream` gives, kept as by keep_stream(); `name` is for messages.
  ArchiveFile(Source& stream, std::string name, const SessionOptions& options);

  [[nodiscard]] const std::string& path() const noexcept { return path_; }
  /// As ArchiveIndex::find(); members of one name are compared.
  [[nodiscard]] const ArchiveMember* find(std::string_view name) const;
  /// As find(); an absent member is Error{not_found}.
  [[nodiscard]] const ArchiveMember& member(std::string_view name) const;
  [[nodiscard]] const ArchiveIndex& index() const noexcept { return index_; }
  /// The content of a small member, whole.
  [[nodiscard]] std::string text(std::string_view name, std::uint64_t limit) const;
  /// The content of a member. Unverified.
  [[nodiscard]] std::unique_ptr<Source> open(const ArchiveMember& member) const;
  /// The file that holds members at their offsets; -1 where the archive is compressed.
  [[nodiscard]] int plain_file() const noexcept;

 private:
  class Content;

  void read(UniqueFd fd, const SessionOptions& options);
  void read_plain(UniqueFd fd);

  std::string path_;
  std::shared_ptr<const Content> content_;
  ArchiveIndex index_;
  std::map<std::uint64_t, std::string> small_;  // contents by offset, of a compressed archive
};

}  // namespace lade
