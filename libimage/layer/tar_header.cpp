#include "libimage/layer/tar_header.h"

#include <algorithm>
#include <cstring>

#include "libimage/base/error.h"
#include "libimage/base/text.h"

namespace lade::tar {
namespace {

constexpr std::int64_t kLargest = std::int64_t{1} << 62U;  // room for sums without overflow

std::string_view bytes_in(const Block& block, Field field) noexcept {
  return std::string_view(block.data(), block.size()).substr(field.offset, field.size);
}

[[noreturn]] void throw_malformed(std::string_view what, std::string_view bytes) {
  throw Error(Errc::invalid_content, cat("tar header: malformed ", what, " ", quoted(bytes)));
}

bool is_blank(char c) noexcept { return c == ' ' || c == '\0'; }

std::int64_t octal_of(std::string_view bytes, std::string_view what) {
  std::size_t at = 0;
  while (at < bytes.size() && is_blank(bytes[at])) ++at;
  std::int64_t value = 0;
  for (; at < bytes.size() && bytes[at] >= '0' && bytes[at] <= '7'; ++at) {
    value = value * 8 + (bytes[at] - '0');  // at most 12 digits: 36 bits
  }
  if (!std::all_of(bytes.begin() + static_cast<std::ptrdiff_t>(at), bytes.end(), is_blank)) {
    throw_malformed(what, bytes);
  }
  return value;
}

/// Two's complement, most significant byte first; the first bit only marks the form.
std::int64_t base256_of(std::string_view bytes, std::string_view what) {
  const unsigned first = static_cast<unsigned char>(bytes[0]) & 0x7FU;
  std::int64_t value = (first & 0x40U) != 0 ? static_cast<std::int64_t>(first) - 128
                                            : static_cast<std::int64_t>(first);
  for (const char c : bytes.substr(1)) {
    if (value > (kLargest >> 8U) || value < -(kLargest >> 8U)) throw_malformed(what, bytes);
    value = value * 256 + static_cast<unsigned char>(c);
  }
  if (value > kLargest || value < -kLargest) throw_malformed(what, bytes);
  return value;
}

}  // namespace

bool is_zero(const Block& block) noexcept {
  return block[0] == '\0' && std::memcmp(block.data(), block.data() + 1, block.size() - 1) == 0;
}

bool checksum_matches(const Block& block) noexcept {
  std::int64_t as_unsigned = 0;
  std::int64_t as_signed = 0;
  for (std::size_t i = 0; i < block.size(); ++i) {
    const bool own = i >= kChecksum.offset && i < kChecksum.offset + kChecksum.size;
    const char c = own ? ' ' : block[i];
    as_unsigned += static_cast<unsigned char>(c);
    as_signed += static_cast<signed char>(c);
  }
  // Writers differ in what follows the digits, so only digits and blanks around them count.
  std::int64_t recorded = 0;
  bool digits = false;
  for (const char c : bytes_in(block, kChecksum)) {
    if (c >= '0' && c <= '7') {
      recorded = recorded * 8 + (c - '0');
      digits = true;
    } else if (!is_blank(c)) {
      return false;
    } else if (digits) {
      break;
    }
  }
  return digits && (recorded == as_unsigned || recorded == as_signed);
}

Format format_of(const Block& block) noexcept {
  using std::string_view_literals::operator""sv;
  const std::string_view magic = bytes_in(block, kMagic);
  if (magic == "ustar  \0"sv) return Format::gnu;
  if (magic.substr(0, 6) != "ustar\0"sv && magic.substr(0, 6) != "ustar "sv) return Format::v7;
  return bytes_in(block, kStarTrailer) == "tar\0"sv ? Format::star : Format::ustar;
}

std::string_view text_in(const Block& block, Field field) noexcept {
  const std::string_view bytes = bytes_in(block, field);
  return bytes.substr(0, bytes.find('\0'));
}

std::string path_of(const Block& block) {
  const std::string_view name = text_in(block, kName);
  std::string_view prefix;
  const Format format = format_of(block);
  if (format == Format::ustar) prefix = text_in(block, kPrefix);
  if (format == Format::star) prefix = text_in(block, kStarPrefix);
  return prefix.empty() ? std::string(name) : cat(prefix, "/", name);
}

std::int64_t signed_number_in(const Block& block, Field field, std::string_view what) {
  const std::string_view bytes = bytes_in(block, field);
  if ((static_cast<unsigned char>(bytes[0]) & 0x80U) != 0) return base256_of(bytes, what);
  return octal_of(bytes, what);
}

std::uint64_t number_in(const Block& block, Field field, std::string_view what) {
  const std::int64_t value = signed_number_in(block, field, what);
  if (value < 0) throw_malformed(what, bytes_in(block, field));
  return static_cast<std::uint64_t>(value);
}

void put_text(Block& block, Field field, std::string_view text) noexcept {
  text.copy(block.data() + field.offset, field.size);
}

bool put_octal(Block& block, Field field, std::uint64_t value) noexcept {
  if (value > largest_octal(field)) return false;
  char* const at = block.data() + field.offset;
  for (std::size_t i = field.size - 1; i-- > 0; value >>= 3U) {
    at[i] = static_cast<char>('0' + (value & 7U));
  }
  at[field.size - 1] = '\0';
  return true;
}

void put_checksum(Block& block) noexcept {
  std::memset(block.data() + kChecksum.offset, ' ', kChecksum.size);
  std::uint64_t sum = 0;
  for (const char c : block) sum += static_cast<unsigned char>(c);
  // Six digits, NUL, blank: what every writer writes.
  put_octal(block, Field{kChecksum.offset, 7}, sum);
}

}  // namespace lade::tar
