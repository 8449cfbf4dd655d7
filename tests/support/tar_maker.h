/// Tar archives made byte by byte, also such as no honest program writes.
#pragma once
#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "libimage/base/text.h"

namespace lade::testing {

struct TarMaker {
  std::string bytes = {};

  struct Extra {
    char type = '0';
    std::string_view link = {};
    /// What the header says instead of the content's size.
    std::optional<std::uint64_t> claimed_size = {};
    std::string_view magic = std::string_view("ustar\00000", 8);
    bool wrong_checksum = false;
  };

  TarMaker& add(std::string_view name, std::string_view content) {
    return add(name, content, Extra{});
  }

  TarMaker& add(std::string_view name, std::string_view content, const Extra& extra) {
    std::string block(512, '\0');
    block.replace(0, std::min<std::size_t>(name.size(), 100), name.substr(0, 100));
    block.replace(100, 7, "0000644");
    block.replace(108, 7, "0000000");
    block.replace(116, 7, "0000000");
    block.replace(124, 11, octal(extra.claimed_size.value_or(content.size()), 11));
    block.replace(136, 11, "00000000000");
    block[156] = extra.type;
    block.replace(157, extra.link.size(), extra.link);
    block.replace(257, 8, extra.magic);
    seal(block, extra.wrong_checksum);
    bytes += block;
    bytes += content;
    bytes.resize((bytes.size() + 511) / 512 * 512, '\0');
    return *this;
  }

  TarMaker& symlink(std::string_view name, std::string_view target) {
    return add(name, {}, Extra{.type = '2', .link = target});
  }
  TarMaker& hard_link(std::string_view name, std::string_view target) {
    return add(name, {}, Extra{.type = '1', .link = target});
  }
  TarMaker& pax(std::string_view records, char type = 'x') {
    return add("PaxHeader", records, Extra{.type = type});
  }
  /// With the two blocks that end an archive.
  [[nodiscard]] std::string finished() const { return bytes + std::string(1024, '\0'); }

  static std::string record(std::string_view key, std::string_view value) {
    const std::string body = cat(" ", key, "=", value, "\n");
    std::size_t length = body.size() + 1;
    while (cat(length).size() + body.size() != length) ++length;
    return cat(length, body);
  }

  static std::string octal(std::uint64_t value, std::size_t digits) {
    std::string text(digits, '0');
    for (std::size_t i = digits; i-- > 0; value /= 8) text[i] = static_cast<char>('0' + value % 8);
    return text;
  }

  static void seal(std::string& block, bool wrong = false) {
    block.replace(148, 8, "        ");
    std::uint64_t sum = wrong ? 1 : 0;
    for (const char c : block) sum += static_cast<unsigned char>(c);
    block.replace(148, 8, octal(sum, 6) + std::string("\0 ", 2));
  }
};

}  // namespace lade::testing
