/// Where everything is in a tar archive: read once, then every member by random access.
///
/// Strict where archives lie (docs of the traps: CVE-2025-62518 and its kin): checksums, both
/// number forms and PAX records are validated whole; a PAX or GNU header speaks for the next file
/// entry only; a member that leaves the archive, its end included, is refused.
#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "libimage/io/stream.h"

namespace lade {

struct ArchiveMember {
  enum class Kind { file, directory, symlink, hard_link, other };
  std::string path;  ///< relative, without "." components and trailing slash
  Kind kind = Kind::file;
  std::string target;        ///< of links, as stored
  std::uint64_t offset = 0;  ///< of the content
  std::uint64_t size = 0;    ///< of the content; 0 unless a file
  bool operator==(const ArchiveMember&) const = default;
};

/// Reads up to out.size() bytes from `offset`; fewer only at the end.
using ReadAt = std::function<std::size_t(std::uint64_t offset, std::span<std::byte> out)>;

class TarBytes;

class ArchiveIndex {
 public:
  /// Indexes an uncompressed tar of `size` bytes: ustar, PAX and GNU long names. Throws
  /// Error{invalid_content} for damaged, truncated or ambiguous archives and for paths that are
  /// absolute or hold "..", Error{unsupported} for sparse members, Error{limit_exceeded} for more
  /// members or longer names than any image has.
  static ArchiveIndex read(const ReadAt& read_at, std::uint64_t size);

  /// As above, of a stream that is read once, to its end. `visit` is called for each member and may
  /// read its content, from front to back.
  static ArchiveIndex read(Source& stream,
                           const std::function<void(const ArchiveMember&, const ReadAt&)>& visit);

  /// True if two files have the same content.
  using SameContent = std::function<bool(const ArchiveMember&, const ArchiveMember&)>;

  /// The file at `path`, links inside the archive followed; nullptr if there is none. Throws
  /// Error{invalid_content} if several members have the path, unless they are files of which `same`
  /// says that they are alike, or a link loops or leaves the archive.
  [[nodiscard]] const ArchiveMember* find(std::string_view path,
                                          const SameContent& same = {}) const;

  [[nodiscard]] const std::vector<ArchiveMember>& members() const noexcept { return members_; }

 private:
  static ArchiveIndex read_members(
      TarBytes& bytes, const std::function<void(const ArchiveMember&, const ReadAt&)>& visit);
  void add(ArchiveMember member);
  [[nodiscard]] bool are_alike(std::string_view path, const SameContent& same) const;

  std::vector<ArchiveMember> members_;
  struct Place {
    std::size_t position = 0;
    bool several = false;
  };
  std::map<std::string, Place, std::less<>> places_;
};

}  // namespace lade
