#include "libimage/template/go_text.h"

#include <array>
#include <charconv>
#include <cmath>

#include "libimage/base/text.h"

namespace lade::templates {
namespace {

constexpr char32_t kReplacement = 0xFFFD;
constexpr char32_t kLastRune = 0x10FFFF;

bool is_surrogate(char32_t rune) { return rune >= 0xD800 && rune <= 0xDFFF; }

void append_hex(std::string& out, char32_t value, int digits) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  for (int shift = (digits - 1) * 4; shift >= 0; shift -= 4)
    out += kDigits[(value >> static_cast<unsigned>(shift)) & 0xFU];
}

/// The letter after the backslash for a control character; 0 if it has none.
char escape_letter(char32_t rune) {
  switch (rune) {
    case '\a':
      return 'a';
    case '\b':
      return 'b';
    case '\f':
      return 'f';
    case '\n':
      return 'n';
    case '\r':
      return 'r';
    case '\t':
      return 't';
    case '\v':
      return 'v';
    default:
      return 0;
  }
}

void append_escaped(std::string& out, char32_t rune) {
  if (const char letter = escape_letter(rune)) {
    out += '\\';
    out += letter;
  } else if (rune < ' ' || rune == 0x7F) {
    out += "\\x";
    append_hex(out, rune, 2);
  } else if (rune < 0x10000) {
    out += "\\u";
    append_hex(out, rune, 4);
  } else {
    out += "\\U";
    append_hex(out, rune, 8);
  }
}

char unescaped_letter(char letter) {
  switch (letter) {
    case 'a':
      return '\a';
    case 'b':
      return '\b';
    case 'f':
      return '\f';
    case 'n':
      return '\n';
    case 'r':
      return '\r';
    case 't':
      return '\t';
    case 'v':
      return '\v';
    case '\\':
      return '\\';
    default:
      return 0;
  }
}

/// Takes `digits` digits of `base` off the front of `text`.
std::optional<char32_t> take_number(std::string_view& text, std::size_t digits, int base) {
  std::uint32_t value = 0;
  if (text.size() < digits) return std::nullopt;
  const char* end = text.data() + digits;
  const auto parsed = std::from_chars(text.data(), end, value, base);
  if (parsed.ec != std::errc() || parsed.ptr != end) return std::nullopt;
  text.remove_prefix(digits);
  return value;
}

/// Takes one escape, its backslash gone already, off the front of `text`.
bool take_escape(std::string_view& text, char quote, std::string& out) {
  if (text.empty()) return false;
  const char letter = text.front();
  if (letter >= '0' && letter <= '7') {
    const auto value = take_number(text, 3, 8);
    if (!value || *value > 0xFF) return false;
    out += static_cast<char>(*value);
    return true;
  }
  text.remove_prefix(1);
  if (letter == 'x') {
    const auto value = take_number(text, 2, 16);
    if (value) out += static_cast<char>(*value);
    return value.has_value();
  }
  if (letter == 'u' || letter == 'U') {
    const auto value = take_number(text, letter == 'u' ? 4 : 8, 16);
    if (!value || *value > kLastRune || is_surrogate(*value)) return false;
    append_utf8(out, *value);
    return true;
  }
  const char plain = letter == quote ? quote : unescaped_letter(letter);
  out += plain;
  return plain != 0;
}

}  // namespace

std::size_t decode_rune(std::string_view text, char32_t& rune) noexcept {
  const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(text[at]); };
  const unsigned char first = byte(0);
  if (first < 0x80) {
    rune = first;
    return 1;
  }
  std::size_t length = 0;
  if (first >= 0xC2 && first <= 0xDF) length = 2;
  if ((first & 0xF0U) == 0xE0) length = 3;
  if (first >= 0xF0 && first <= 0xF4) length = 4;
  rune = kReplacement;
  if (length == 0 || text.size() < length) return 1;
  char32_t value = first & (0x7FU >> length);
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0U) != 0x80) return 1;
    value = (value << 6U) | (byte(i) & 0x3FU);
  }
  constexpr std::array<char32_t, 5> kLeast = {0, 0, 0x80, 0x800, 0x10000};
  if (value < kLeast[length] || value > kLastRune || is_surrogate(value)) return 1;
  rune = value;
  return length;
}

void append_utf8(std::string& out, char32_t rune) {
  const auto push = [&](char32_t byte) { out += static_cast<char>(byte); };
  if (rune < 0x80) {
    push(rune);
  } else if (rune < 0x800) {
    push(0xC0 | (rune >> 6U));
    push(0x80 | (rune & 0x3FU));
  } else if (rune < 0x10000) {
    push(0xE0 | (rune >> 12U));
    push(0x80 | ((rune >> 6U) & 0x3FU));
    push(0x80 | (rune & 0x3FU));
  } else {
    push(0xF0 | (rune >> 18U));
    push(0x80 | ((rune >> 12U) & 0x3FU));
    push(0x80 | ((rune >> 6U) & 0x3FU));
    push(0x80 | (rune & 0x3FU));
  }
}

bool is_printable_rune(char32_t rune) noexcept {
  if (rune < 0x80) return rune >= ' ' && rune != 0x7F;
  if (rune <= 0xA0 || rune == 0xAD) return false;
  if (rune >= 0x2000 && rune <= 0x200F) return false;
  if (rune >= 0x2028 && rune <= 0x202F) return false;
  if (rune >= 0x205F && rune <= 0x206F) return false;
  if (rune == 0x3000 || rune == 0xFEFF) return false;
  if (rune >= 0xE000 && rune <= 0xF8FF) return false;
  if (rune >= 0xFFF0 && rune <= 0xFFFB) return false;
  return rune < 0xE0000 && (rune & 0xFFFEU) != 0xFFFE && !is_surrogate(rune);
}

std::string go_quote(std::string_view text) {
  std::string out = "\"";
  while (!text.empty()) {
    char32_t rune = 0;
    const std::size_t length = decode_rune(text, rune);
    if (length == 1 && rune == kReplacement) {
      out += "\\x";
      append_hex(out, static_cast<unsigned char>(text.front()), 2);
    } else if (rune == '"' || rune == '\\') {
      out += '\\';
      out += static_cast<char>(rune);
    } else if (is_printable_rune(rune)) {
      out += text.substr(0, length);
    } else {
      append_escaped(out, rune);
    }
    text.remove_prefix(length);
  }
  return out + '"';
}

std::optional<std::string> go_unquote(std::string_view literal) {
  if (literal.size() < 2 || literal.front() != literal.back()) return std::nullopt;
  const char quote = literal.front();
  std::string_view text = literal.substr(1, literal.size() - 2);
  std::string out;
  if (quote == '`') {
    for (const char c : text) {
      if (c == '`') return std::nullopt;
      if (c != '\r') out += c;
    }
    return out;
  }
  while (!text.empty()) {
    const char c = text.front();
    if (c == quote || c == '\n') return std::nullopt;
    text.remove_prefix(1);
    if (c != '\\') {
      out += c;
    } else if (!take_escape(text, quote, out)) {
      return std::nullopt;
    }
  }
  return out;
}

std::string go_float(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
  constexpr double kLeast = 1e-4;
  constexpr double kMost = 1e21;
  const double size = std::abs(value);
  const bool exponent = size != 0 && (size < kLeast || size >= kMost);
  std::array<char, 64> digits{};
  const auto done =
      std::to_chars(digits.data(), digits.data() + digits.size(), value,
                    exponent ? std::chars_format::scientific : std::chars_format::fixed);
  return {digits.data(), done.ptr};
}

std::string go_json_float(double value) {
  constexpr double kLeast = 1e-6;  // JSON switches to an exponent later than %v does
  const double size = std::abs(value);
  if (size >= kLeast && size < 1e-4) {
    std::array<char, 64> digits{};
    const auto done = std::to_chars(digits.data(), digits.data() + digits.size(), value,
                                    std::chars_format::fixed);
    return {digits.data(), done.ptr};
  }
  std::string text = go_float(value);
  const std::size_t at = text.find("e-0");
  if (at != std::string::npos) text.erase(at + 2, 1);
  return text;
}

}  // namespace lade::templates
