/// Tar streams byte by byte, sound or broken, for tests of their readers.
#pragma once
#include <array>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>

namespace lade::testing {

/// One header with every field open; the defaults make an empty regular file.
struct RawHeader {
  std::string name = {};
  char type = '0';
  std::uint64_t mode = 0644;
  std::uint64_t uid = 0;
  std::uint64_t gid = 0;
  std::uint64_t size = 0;
  std::uint64_t mtime = 0;
  std::string link = {};
  std::string prefix = {};
  std::string magic = std::string(
      "ustar\0"
      "00",
      8);
  std::uint64_t major = 0;
  std::uint64_t minor = 0;
};

class TarBuilder {
 public:
  /// The header block alone, checksum set after `edit` has changed what it likes.
  template <typename Edit>
  TarBuilder& raw(const RawHeader& header, const Edit& edit) {
    std::array<char, 512> block{};
    const auto text = [&](std::size_t at, std::size_t size, std::string_view value) {
      std::memcpy(block.data() + at, value.data(), std::min(size, value.size()));
    };
    text(0, 100, header.name);
    text(100, 8, octal(header.mode, 7));
    text(108, 8, octal(header.uid, 7));
    text(116, 8, octal(header.gid, 7));
    text(124, 12, octal(header.size, 11));
    text(136, 12, octal(header.mtime, 11));
    block[156] = header.type;
    text(157, 100, header.link);
    text(257, 8, header.magic);
    text(329, 8, octal(header.major, 7));
    text(337, 8, octal(header.minor, 7));
    text(345, 155, header.prefix);
    edit(block);
    set_checksum(block);
    bytes_.append(block.data(), block.size());
    return *this;
  }
  TarBuilder& raw(const RawHeader& header) {
    return raw(header, [](std::array<char, 512>&) {});
  }
  /// Content and its padding.
  TarBuilder& content(std::string_view data) {
    bytes_ += data;
    bytes_.append((512 - data.size() % 512) % 512, '\0');
    return *this;
  }
  TarBuilder& bytes(std::string_view data) {
    bytes_ += data;
    return *this;
  }

  TarBuilder& file(std::string name, std::string_view data = "", std::uint64_t mode = 0644) {
    return raw({.name = std::move(name), .mode = mode, .size = data.size()}).content(data);
  }
  TarBuilder& dir(std::string name, std::uint64_t mode = 0755) {
    return raw({.name = std::move(name), .type = '5', .mode = mode});
  }
  TarBuilder& symlink(std::string name, std::string target) {
    return raw({.name = std::move(name), .type = '2', .mode = 0777, .link = std::move(target)});
  }
  TarBuilder& hardlink(std::string name, std::string target) {
    return raw({.name = std::move(name), .type = '1', .link = std::move(target)});
  }
  TarBuilder& device(std::string name, char type, std::uint64_t major, std::uint64_t minor) {
    return raw({.name = std::move(name), .type = type, .major = major, .minor = minor});
  }
  /// A PAX header ('x') or a global one ('g') with this body.
  TarBuilder& pax(std::string_view body, char type = 'x') {
    return raw({.name = "PaxHeader", .type = type, .size = body.size()}).content(body);
  }
  /// GNU long name ('L') or long link ('K').
  TarBuilder& gnu_long(char type, std::string_view text) {
    const std::string body = std::string(text) + '\0';
    return raw({.name = "././@LongLink", .type = type, .size = body.size(), .magic = gnu_magic()})
        .content(body);
  }
  /// The stream, with the two zero blocks behind it.
  [[nodiscard]] std::string finish() const { return bytes_ + std::string(1024, '\0'); }
  [[nodiscard]] const std::string& unfinished() const noexcept { return bytes_; }

  static std::string record(std::string_view key, std::string_view value) {
    const std::string rest = " " + std::string(key) + "=" + std::string(value) + "\n";
    std::size_t length = rest.size() + 1;
    while (std::to_string(length).size() + rest.size() != length) {
      length = std::to_string(length).size() + rest.size();
    }
    return std::to_string(length) + rest;
  }
  static std::string gnu_magic() { return std::string("ustar  \0", 8); }
  static std::string octal(std::uint64_t value, int digits) {
    std::string text(static_cast<std::size_t>(digits), '0');
    for (std::size_t i = text.size(); i-- > 0; value >>= 3U) {
      text[i] = static_cast<char>('0' + (value & 7U));
    }
    return text;
  }

 private:
  static void set_checksum(std::array<char, 512>& block) {
    std::memset(block.data() + 148, ' ', 8);
    std::uint64_t sum = 0;
    for (const char c : block) sum += static_cast<unsigned char>(c);
    std::memcpy(block.data() + 148, (octal(sum, 6) + '\0' + ' ').data(), 8);
  }
  std::string bytes_;
};

}  // namespace lade::testing
