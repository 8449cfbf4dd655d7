#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "libimage/store/store.h"

namespace lade {

class ArchiveFile;
struct ArchiveMember;

struct ArchiveOptions {
  /// The member name of a blob; its length must not depend on the media type.
  std::string (*name_of)(std::string_view media_type, const Digest& digest) = nullptr;
  unsigned mode = 0644;  ///< of every file
  /// Names of members that content() will be asked for, which a stream must remember; null: none.
  bool (*is_read_back)(std::string_view name) = nullptr;
  /// True where finish() will want small members behind all others.
  bool small_members_last = false;
};

/// A tar archive in the making: a file that appears at the end (ArchiveBuilder) or a stream
/// (StreamArchive). Takes several members at once. Thread-safe, but for finish().
class ArchiveOutput {
 public:
  virtual ~ArchiveOutput() = default;

  virtual std::unique_ptr<BlobWriter> start_blob(const BlobHint& hint) = 0;
  [[nodiscard]] virtual bool contains(const oci::Descriptor& blob) const = 0;

  /// Adds a member, in place of one of that name where that is possible. A name that ends in '/' is
  /// a directory's.
  virtual void add(const std::string& name, std::string_view content) = 0;
  [[nodiscard]] virtual bool has(const std::string& name) const = 0;
  /// The content of a member; Error{not_found}, Error{limit_exceeded}.
  [[nodiscard]] virtual std::string content(const std::string& name, std::uint64_t limit) const = 0;
  /// Takes over a member of another archive under its own name, or `name` if that is not empty. It
  /// is not verified, and so contains() does not answer for it. Error{unsupported} for streams.
  virtual void adopt(const ArchiveFile& from, const ArchiveMember& member,
                     const std::string& name) = 0;

  /// Completes the archive: the members of `order` that there are, all others by name, `last`. A
  /// stream has them in the order in which they came.
  virtual void finish(const std::vector<std::string>& order, const std::string& last) = 0;
};

/// True if what is written to `path` cannot be a file that appears at the end: standard output, a
/// FIFO, a character device.
bool is_written_as_stream(const std::string& path);

/// True if `path` is a file with content, which a new archive would replace.
bool is_existing_archive(const std::string& path);

/// The archive to be written to `path`. Throws Error{unsupported} for directories, terminals and
/// what else takes none.
std::unique_ptr<ArchiveOutput> create_archive(const std::string& path,
                                              const ArchiveOptions& archive,
                                              const SessionOptions& options);

}  // namespace lade
