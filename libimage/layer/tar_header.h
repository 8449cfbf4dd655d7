/// The 512-byte tar header: its fields and their numbers (POSIX.1-2017 pax, "ustar Interchange
/// Format"; GNU tar manual, "Basic Tar Format"). Internal to the layer module.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "libimage/base/bytes.h"

namespace lade::tar {

inline constexpr std::size_t kBlockBytes = 512;
using Block = std::array<char, kBlockBytes>;

/// Where a field lies in the header block.
struct Field {
  std::size_t offset;
  std::size_t size;
};
inline constexpr Field kName{0, 100};
inline constexpr Field kMode{100, 8};
inline constexpr Field kUid{108, 8};
inline constexpr Field kGid{116, 8};
inline constexpr Field kSize{124, 12};
inline constexpr Field kMtime{136, 12};
inline constexpr Field kChecksum{148, 8};
inline constexpr std::size_t kTypeOffset = 156;
inline constexpr Field kLinkName{157, 100};
inline constexpr Field kMagic{257, 8};
inline constexpr Field kUser{265, 32};
inline constexpr Field kGroup{297, 32};
inline constexpr Field kDeviceMajor{329, 8};
inline constexpr Field kDeviceMinor{337, 8};
inline constexpr Field kPrefix{345, 155};
inline constexpr Field kStarPrefix{345, 131};  ///< followed by atime and ctime
inline constexpr Field kStarTrailer{508, 4};   ///< "tar\0"
inline constexpr Field kGnuAtime{345, 12};
inline constexpr Field kGnuCtime{357, 12};
inline constexpr Field kStarAtime{476, 12};
inline constexpr Field kStarCtime{488, 12};
inline constexpr std::size_t kGnuSparse = 386;  ///< four pairs of 12-byte numbers
inline constexpr std::size_t kGnuIsExtended = 482;
inline constexpr Field kGnuRealSize{483, 12};
inline constexpr std::size_t kExtensionIsExtended = 504;  ///< in a block of 21 more pairs

enum class Format { v7, ustar, gnu, star };

/// Bytes of content rounded up to whole blocks; `size` is at most 2^62.
constexpr std::uint64_t padded(std::uint64_t size) noexcept {
  return (size + kBlockBytes - 1) / kBlockBytes * kBlockBytes;
}

bool is_zero(const Block& block) noexcept;

/// True if the checksum field equals the sum of the bytes, taken as unsigned or (old Sun tars)
/// signed.
bool checksum_matches(const Block& block) noexcept;

/// Which dialect the magic shows.
Format format_of(const Block& block) noexcept;

/// The text of a field, up to the first NUL.
std::string_view text_in(const Block& block, Field field) noexcept;

/// The name field, with the prefix that its dialect puts in front.
std::string path_of(const Block& block);

/// A number in octal digits, or in base 256 where the first bit is set. An empty field is 0.
/// Anything else in the field, a number below 0 or above 2^62 is Error{invalid_content}: "tar
/// header: `what` ...".
std::uint64_t number_in(const Block& block, Field field, std::string_view what);

/// As number_in(), but base 256 may be negative (times before 1970).
std::int64_t signed_number_in(const Block& block, Field field, std::string_view what);

/// Writes `text` (not longer than the field) into it.
void put_text(Block& block, Field field, std::string_view text) noexcept;

/// Writes octal digits, filled with zeros, and a NUL; false, and nothing written, if they do not
/// fit.
bool put_octal(Block& block, Field field, std::uint64_t value) noexcept;

/// Writes the checksum, last of all fields.
void put_checksum(Block& block) noexcept;

/// The largest number that put_octal() can write into `field`.
constexpr std::uint64_t largest_octal(Field field) noexcept {
  return (std::uint64_t{1} << (3 * (field.size - 1))) - 1;
}

}  // namespace lade::tar
