/// Text without format strings: cat() joins values, quoted() makes untrusted text safe to print.
#pragma once
#include <charconv>
#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lade {

namespace text_detail {
inline void append(std::string& out, std::string_view piece) { out += piece; }
inline void append(std::string& out, char piece) { out += piece; }
template <std::integral Number>
requires(!std::same_as<Number, bool> &&
         !std::same_as<Number, char>)  // of a bool, say what is true instead
    void append(std::string& out, Number number) {
  char digits[24];
  const auto end = std::to_chars(digits, digits + sizeof digits, number).ptr;
  out.append(digits, end);
}
inline void append(std::string& out, double number) {
  char digits[40];
  const auto end = std::to_chars(digits, digits + sizeof digits, number).ptr;
  out.append(digits, end);
}
}  // namespace text_detail

/// The pieces (strings, characters, numbers in decimal) one after another.
template <typename... Pieces>
std::string cat(const Pieces&... pieces) {
  std::string out;
  (text_detail::append(out, pieces), ...);
  return out;
}

/// `text` between single quotes, with control characters, quotes, backslashes and bytes that are
/// not UTF-8 escaped as \xHH: what messages use for every name that came from outside (terminal
/// injection).
std::string quoted(std::string_view text);

/// As quoted(), without the quotes.
std::string printable(std::string_view text);

/// The pieces of `text` between `separator`s; an empty text has one empty piece.
std::vector<std::string_view> split(std::string_view text, char separator);

/// `text` without blanks (space, tab, CR, LF) at both ends.
std::string_view trimmed(std::string_view text) noexcept;

/// ASCII lower case of `text`.
std::string lower_case(std::string_view text);

/// `text` read whole as an unsigned decimal number; nullopt if it is anything else or does not fit.
std::optional<std::uint64_t> parse_decimal(std::string_view text) noexcept;

/// The candidate nearest to `word` (edit distance, a swap of neighbours counted once, at most a
/// third of its length, at least 1), for "did you mean".
std::optional<std::string> nearest(std::string_view word,
                                   const std::vector<std::string>& candidates);

/// True if `text` is well-formed UTF-8 (no overlong forms, no surrogates).
bool is_utf8(std::string_view text) noexcept;

/// `bytes` as people read it: "512 B", "1.5 kB", "23.4 MB" (powers of 1000).
std::string human_size(std::uint64_t bytes);

/// "1 layer", "2 layers".
std::string counted(std::uint64_t count, std::string_view one);

/// `text` with spaces up to `width` bytes, before it or behind it.
std::string padded_left(std::string_view text, std::size_t width);
std::string padded_right(std::string_view text, std::size_t width);

}  // namespace lade
