#include "libimage/base/text.h"

#include <algorithm>
#include <array>
#include <limits>

namespace lade {
namespace {

constexpr std::string_view kHex = "0123456789abcdef";

/// Length of the well-formed UTF-8 sequence at the front of `text`, or 0.
std::size_t utf8_length(std::string_view text) noexcept {
  const auto at = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = at(0);
  if (lead < 0x80) return 1;
  std::size_t length = 0;
  if (lead >= 0xC2 && lead <= 0xDF) length = 2;
  if (lead >= 0xE0 && lead <= 0xEF) length = 3;
  if (lead >= 0xF0 && lead <= 0xF4) length = 4;
  if (length == 0 || text.size() < length) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((at(i) & 0xC0) != 0x80) return 0;
  }
  if (lead == 0xE0 && at(1) < 0xA0) return 0;  // overlong
  if (lead == 0xED && at(1) > 0x9F) return 0;  // surrogates
  if (lead == 0xF0 && at(1) < 0x90) return 0;  // overlong
  if (lead == 0xF4 && at(1) > 0x8F) return 0;  // past U+10FFFF
  return length;
}

void escape_into(std::string& out, std::string_view text, bool escape_quotes) {
  while (!text.empty()) {
    const auto c = static_cast<unsigned char>(text[0]);
    const std::size_t length = utf8_length(text);
    const bool c1_control = length == 2 && c == 0xC2 && static_cast<unsigned char>(text[1]) < 0xA0;
    if (length == 0 || c < 0x20 || c == 0x7F || c1_control ||
        (escape_quotes && (c == '\'' || c == '\\'))) {
      if (escape_quotes && (c == '\'' || c == '\\')) {
        out += '\\';
        out += text[0];
      } else {
        const std::size_t bytes = c1_control ? 2 : 1;
        for (std::size_t i = 0; i < bytes; ++i) {
          const auto byte = static_cast<unsigned char>(text[i]);
          out += "\\x";
          out += kHex[byte >> 4U];
          out += kHex[byte & 0xFU];
        }
      }
      text.remove_prefix(c1_control ? 2 : 1);
      continue;
    }
    out += text.substr(0, length);
    text.remove_prefix(length);
  }
}

/// Insertions, deletions, substitutions and swaps of neighbours that turn `a` into `b`.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> two_above(b.size() + 1);
  std::vector<std::size_t> above(b.size() + 1);
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    two_above.swap(above);
    above.swap(row);
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      row[j] =
          std::min({above[j] + 1, row[j - 1] + 1, above[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        row[j] = std::min(row[j], two_above[j - 2] + 1);
      }
    }
  }
  return row[b.size()];
}

}  // namespace

std::string quoted(std::string_view text) {
  std::string out = "'";
  escape_into(out, text, true);
  return out += '\'';
}

std::string printable(std::string_view text) {
  std::string out;
  escape_into(out, text, false);
  return out;
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> pieces;
  for (;;) {
    const std::size_t end = text.find(separator);
    pieces.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return pieces;
    text.remove_prefix(end + 1);
  }
}

std::string_view trimmed(std::string_view text) noexcept {
  constexpr std::string_view kBlanks = " \t\r\n";
  const std::size_t begin = text.find_first_not_of(kBlanks);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlanks) - begin + 1);
}

std::string lower_case(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

std::optional<std::uint64_t> parse_decimal(std::string_view text) noexcept {
  std::uint64_t value = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || stop != end || text.empty()) return std::nullopt;
  return value;
}

std::optional<std::string> nearest(std::string_view word,
                                   const std::vector<std::string>& candidates) {
  const std::size_t limit = std::max<std::size_t>(1, word.size() / 3);
  std::size_t best = std::numeric_limits<std::size_t>::max();
  std::optional<std::string> found;
  for (const std::string& candidate : candidates) {
    const std::size_t distance = edit_distance(word, candidate);
    if (distance < best && distance <= limit) {
      best = distance;
      found = candidate;
    }
  }
  return found;
}

bool is_utf8(std::string_view text) noexcept {
  while (!text.empty()) {
    const std::size_t length = utf8_length(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

std::string human_size(std::uint64_t bytes) {
  if (bytes < 1000) return cat(bytes, " B");
  constexpr std::array<std::string_view, 6> kUnits = {"kB", "MB", "GB", "TB", "PB", "EB"};
  std::uint64_t divisor = 1000;
  std::size_t unit = 0;
  while (unit + 1 < kUnits.size() && bytes / divisor >= 1000) {
    divisor *= 1000;
    ++unit;
  }
  const std::uint64_t tenths = bytes / (divisor / 10);
  if (tenths >= 1000) return cat(tenths / 10, " ", kUnits[unit]);
  return cat(tenths / 10, ".", tenths % 10, " ", kUnits[unit]);
}

std::string counted(std::uint64_t count, std::string_view one) {
  return cat(count, " ", one, count == 1 ? "" : "s");
}

std::string padded_left(std::string_view text, std::size_t width) {
  return cat(std::string(width - std::min(width, text.size()), ' '), text);
}

std::string padded_right(std::string_view text, std::size_t width) {
  return cat(text, std::string(width - std::min(width, text.size()), ' '));
}

}  // namespace lade
