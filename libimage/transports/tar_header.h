/// One header block of a tar archive (POSIX.1-2017 pax, "ustar Interchange Format"), read and
/// written. Only what image archives need: names, sizes, types.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "libimage/base/bytes.h"

namespace lade {

inline constexpr std::size_t kTarBlockBytes = 512;
using TarBlock = std::array<std::byte, kTarBlockBytes>;

struct TarHeader {
  std::string path;
  std::string link;
  std::uint64_t size = 0;
  char type = '0';
};

bool is_zero(const TarBlock& block) noexcept;

/// `bytes` rounded up to whole blocks; saturates.
std::uint64_t padded_size(std::uint64_t bytes) noexcept;

/// Throws Error{invalid_content}: wrong checksum, numbers that are neither octal nor base-256.
TarHeader parse_tar_header(const TarBlock& block);

/// The PAX records that change where a member is or what it is called.
struct PaxRecords {
  std::optional<std::string> path = {};
  std::optional<std::string> link_path = {};
  std::optional<std::uint64_t> size = {};
  bool sparse = false;  ///< any GNU.sparse.* record
};

/// Throws Error{invalid_content} for records that break "LENGTH KEY=VALUE\n" anywhere, for a NUL
/// in a path and for a size that is no number.
PaxRecords parse_pax(std::string_view text);

/// The header of a regular file of `size` bytes, owner 0, time 0: one block, or three with a PAX
/// header in front where the name or the size do not fit ustar. Its length depends only on the
/// length of the name and on the size. A name that ends in '/' is a directory's.
std::string make_tar_header(const std::string& path, std::uint64_t size, unsigned mode);

}  // namespace lade
