#include "libimage/transports/tar_header.h"

#include <algorithm>
#include <limits>

#include "libimage/base/error.h"
#include "libimage/base/text.h"

namespace lade {
namespace {

constexpr std::size_t kNameBytes = 100;
constexpr std::uint64_t kMaxOctalSize = 077777777777;  // eleven digits

struct Field {
  std::size_t offset;
  std::size_t length;
};
constexpr Field kName{0, kNameBytes}, kMode{100, 8}, kUid{108, 8}, kGid{116, 8}, kSize{124, 12},
    kTime{136, 12}, kChecksum{148, 8}, kType{156, 1}, kLink{157, kNameBytes}, kMagic{257, 8},
    kPrefix{345, 155};

std::string_view text_of(const TarBlock& block, Field field) {
  return chars_of(block).substr(field.offset, field.length);
}

/// Up to the first NUL.
std::string name_of(const TarBlock& block, Field field) {
  const std::string_view text = text_of(block, field);
  return std::string(text.substr(0, text.find('\0')));
}

[[noreturn]] void fail(std::string_view message) {
  throw Error(Errc::invalid_content, std::string(message));
}

std::uint64_t base256(std::string_view text) {
  std::uint64_t value = static_cast<unsigned char>(text.front()) & 0x7fU;
  if ((value & 0x40U) != 0) fail("negative number in header");
  for (const char c : text.substr(1)) {
    if (value > std::numeric_limits<std::uint64_t>::max() >> 8U) fail("number too large in header");
    value = value << 8U | static_cast<unsigned char>(c);
  }
  return value;
}

/// Spaces, octal digits, then spaces and NULs only.
std::uint64_t number_of(std::string_view text) {
  if ((static_cast<unsigned char>(text.front()) & 0x80U) != 0) return base256(text);
  std::size_t at = text.find_first_not_of(' ');
  std::uint64_t value = 0;
  while (at < text.size() && text[at] >= '0' && text[at] <= '7') {
    value = value * 8 + static_cast<std::uint64_t>(text[at] - '0');
    ++at;
  }
  if (at < text.size() &&
      text.find_first_not_of(std::string_view(" \0", 2), at) != std::string_view::npos) {
    fail("number in header is not octal");
  }
  return value;
}

std::uint64_t checksum_of(const TarBlock& block) {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < block.size(); ++i) {
    const bool own = i >= kChecksum.offset && i < kChecksum.offset + kChecksum.length;
    sum += own ? std::uint64_t{' '} : std::to_integer<std::uint64_t>(block[i]);
  }
  return sum;
}

/// Small enough to read the record's text once and never leave it.
struct PaxRecord {
  std::string_view key;
  std::string_view value;
};

PaxRecord take_record(std::string_view& rest) {
  const std::size_t space = rest.find(' ');
  if (space == std::string_view::npos || space == 0 || space > 7) fail("malformed PAX record");
  const std::optional<std::uint64_t> length = parse_decimal(rest.substr(0, space));
  if (!length || *length <= space + 1 || *length > rest.size()) fail("malformed PAX record");
  const std::string_view record = rest.substr(space + 1, *length - space - 1);
  rest.remove_prefix(static_cast<std::size_t>(*length));
  const std::size_t equals = record.find('=');
  if (!record.ends_with('\n') || equals == std::string_view::npos || equals == 0) {
    fail("malformed PAX record");
  }
  return {record.substr(0, equals), record.substr(equals + 1, record.size() - equals - 2)};
}

std::string pax_path(std::string_view value) {
  if (value.empty() || value.find('\0') != std::string_view::npos) fail("malformed PAX path");
  return std::string(value);
}

void put(std::string& block, Field field, std::string_view text) {
  block.replace(field.offset, text.size(), text);
}

void put_octal(std::string& block, Field field, std::uint64_t value) {
  for (std::size_t i = field.length - 1; i-- > 0; value /= 8) {
    block[field.offset + i] = static_cast<char>('0' + value % 8);
  }
}

std::string one_header(std::string_view name, std::string_view prefix, std::uint64_t size,
                       unsigned mode, char type) {
  std::string block(kTarBlockBytes, '\0');
  put(block, kName, name);
  put_octal(block, kMode, mode);
  put_octal(block, kUid, 0);
  put_octal(block, kGid, 0);
  put_octal(block, kSize, size);
  put_octal(block, kTime, 0);
  block[kType.offset] = type;
  put(block, kMagic, std::string_view("ustar\00000", 8));
  put(block, kPrefix, prefix);
  TarBlock bytes{};
  std::copy_n(bytes_of(block).begin(), bytes.size(), bytes.begin());
  std::string sum(6, '0');
  std::uint64_t value = checksum_of(bytes);
  for (std::size_t i = sum.size(); i-- > 0; value /= 8) sum[i] = static_cast<char>('0' + value % 8);
  put(block, kChecksum, cat(sum, std::string_view("\0 ", 2)));
  return block;
}

std::string pax_record(std::string_view key, std::string_view value) {
  const std::string body = cat(" ", key, "=", value, "\n");
  std::size_t length = body.size() + 1;
  while (cat(length).size() + body.size() != length) ++length;
  return cat(length, body);
}

}  // namespace

bool is_zero(const TarBlock& block) noexcept {
  return std::all_of(block.begin(), block.end(), [](std::byte b) { return b == std::byte{0}; });
}

std::uint64_t padded_size(std::uint64_t bytes) noexcept {
  const std::uint64_t over = bytes % kTarBlockBytes;
  if (over == 0) return bytes;
  const std::uint64_t pad = kTarBlockBytes - over;
  return bytes > std::numeric_limits<std::uint64_t>::max() - pad
             ? std::numeric_limits<std::uint64_t>::max()
             : bytes + pad;
}

TarHeader parse_tar_header(const TarBlock& block) {
  if (number_of(text_of(block, kChecksum)) != checksum_of(block)) fail("wrong header checksum");
  TarHeader header;
  header.path = name_of(block, kName);
  header.link = name_of(block, kLink);
  header.size = number_of(text_of(block, kSize));
  header.type = text_of(block, kType).front();
  // GNU's old format has other things where ustar has the prefix.
  if (text_of(block, kMagic).substr(0, 6) == std::string_view("ustar\0", 6)) {
    const std::string prefix = name_of(block, kPrefix);
    if (!prefix.empty()) header.path = cat(prefix, "/", header.path);
  }
  return header;
}

PaxRecords parse_pax(std::string_view text) {
  PaxRecords records;
  while (!text.empty()) {
    const PaxRecord record = take_record(text);
    if (record.key == "path") {
      records.path = pax_path(record.value);
    } else if (record.key == "linkpath") {
      records.link_path = pax_path(record.value);
    } else if (record.key == "size") {
      records.size = parse_decimal(record.value);
      if (!records.size) fail("malformed PAX size");
    } else if (record.key.starts_with("GNU.sparse.")) {
      records.sparse = true;
    }
  }
  return records;
}

std::string make_tar_header(const std::string& path, std::uint64_t size, unsigned mode) {
  const char type = path.ends_with('/') ? '5' : '0';
  if (path.size() <= kNameBytes && size <= kMaxOctalSize) {
    return one_header(path, {}, size, mode, type);
  }
  std::string records = pax_record("path", path);
  if (size > kMaxOctalSize) records += pax_record("size", cat(size));
  std::string text = one_header("PaxHeader", {}, records.size(), 0644, 'x');
  records.resize(static_cast<std::size_t>(padded_size(records.size())), '\0');
  const std::uint64_t octal = size > kMaxOctalSize ? 0 : size;
  return cat(text, records, one_header(path.substr(0, kNameBytes), {}, octal, mode, type));
}

}  // namespace lade
