#include "libimage/template/lexer.h"

#include <algorithm>
#include <array>

#include "libimage/base/text.h"
#include "libimage/template/go_text.h"

namespace lade::templates {
namespace {

using Kind = Token::Kind;

constexpr std::string_view kSpaces = " \t\r\n";
constexpr std::string_view kLeft = "{{";
constexpr std::string_view kRight = "}}";
constexpr std::size_t kMarker = 2;  ///< "- " or " -"
constexpr char32_t kNoRune = 0xFFFFFFFF;

bool is_space(char32_t c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }
bool is_digit(char32_t c) { return c >= '0' && c <= '9'; }

bool is_word_rune(char32_t c) {
  if (c == kNoRune) return false;
  // Letters outside ASCII are not told from other signs there; names of fields are ASCII.
  return c == '_' || is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
         (c > 0xBF && c != 0xFFFD);
}

bool is_keyword(std::string_view word) {
  constexpr std::array<std::string_view, 11> kKeywords = {"block", "break",    "continue", "define",
                                                          "else",  "end",      "if",       "nil",
                                                          "range", "template", "with"};
  return std::find(kKeywords.begin(), kKeywords.end(), word) != kKeywords.end();
}

/// "U+002B '+'"
std::string code_point(char32_t rune) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  if (rune == kNoRune) return "U+FFFFFFFFFFFFFFFF";
  std::string hex;
  for (unsigned shift = 24; shift != 0;) {
    shift -= 4;
    if (hex.empty() && shift >= 16 && ((rune >> shift) & 0xFU) == 0) continue;
    hex += kDigits[(rune >> shift) & 0xFU];
  }
  std::string out = cat("U+", hex);
  if (is_printable_rune(rune)) {
    out += " '";
    append_utf8(out, rune);
    out += '\'';
  }
  return out;
}

class Lexer {
 public:
  explicit Lexer(std::string_view input) : input_(input) {}

  std::vector<Token> run() {
    while (open_) {
      if (inside_) {
        action();
      } else {
        text();
      }
    }
    return std::move(tokens_);
  }

 private:
  [[nodiscard]] std::string_view rest() const { return input_.substr(at_); }
  [[nodiscard]] bool starts(std::string_view text, std::size_t skip = 0) const {
    return at_ + skip <= input_.size() && input_.substr(at_ + skip).starts_with(text);
  }
  [[nodiscard]] bool left_trim_at(std::size_t at) const {
    return at + 1 < input_.size() && input_[at] == '-' &&
           is_space(static_cast<unsigned char>(input_[at + 1]));
  }
  [[nodiscard]] bool right_trim_at(std::size_t at) const {
    return at + 1 < input_.size() && is_space(static_cast<unsigned char>(input_[at])) &&
           input_[at + 1] == '-' && input_.substr(at + kMarker).starts_with(kRight);
  }
  [[nodiscard]] bool at_right() const { return right_trim_at(at_) || starts(kRight); }

  [[nodiscard]] char32_t peek() const {
    if (at_ >= input_.size()) return kNoRune;
    char32_t rune = 0;
    (void)decode_rune(rest(), rune);
    return rune;
  }
  char32_t next() {
    if (at_ >= input_.size()) return kNoRune;
    char32_t rune = 0;
    at_ += decode_rune(rest(), rune);
    return rune;
  }

  void emit(Kind kind) {
    const std::string_view text = input_.substr(start_, at_ - start_);
    tokens_.push_back(
        {.kind = kind, .text = std::string(text), .position = start_, .line = start_line_});
    ignore();
  }
  /// Goes on behind what was read.
  void ignore() {
    const std::string_view text = input_.substr(start_, at_ - start_);
    start_line_ += static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
    start_ = at_;
  }
  void fail(std::string message) {
    tokens_.push_back(
        {.kind = Kind::error, .text = std::move(message), .position = start_, .line = start_line_});
    open_ = false;
  }

  void text() {
    const std::size_t found = input_.find(kLeft, at_);
    if (found == std::string_view::npos) {
      at_ = input_.size();
      if (at_ > start_) emit(Kind::text);
      emit(Kind::end);
      open_ = false;
      return;
    }
    std::size_t end = found;
    if (left_trim_at(found + kLeft.size())) {
      while (end > start_ && is_space(static_cast<unsigned char>(input_[end - 1]))) --end;
    }
    at_ = end;
    if (at_ > start_) emit(Kind::text);
    at_ = found;
    ignore();
    left_delimiter();
  }

  void left_delimiter() {
    const std::size_t marker = left_trim_at(at_ + kLeft.size()) ? kMarker : 0;
    at_ += kLeft.size();
    if (starts("/*", marker)) {
      at_ += marker;
      ignore();
      comment();
      return;
    }
    emit(Kind::left_delimiter);
    inside_ = true;
    depth_ = 0;
    at_ += marker;
    ignore();
  }

  void comment() {
    const std::size_t close = input_.find("*/", at_ + 2);
    if (close == std::string_view::npos) return fail("unclosed comment");
    at_ = close + 2;
    if (!at_right()) return fail("comment ends before closing delimiter");
    pass_right();
  }

  /// Goes behind a right delimiter and what it trims.
  void pass_right() {
    const bool trims = right_trim_at(at_);
    at_ += (trims ? kMarker : 0) + kRight.size();
    if (trims) at_ = std::min(input_.find_first_not_of(kSpaces, at_), input_.size());
    ignore();
  }

  void right_delimiter() {
    tokens_.push_back({.kind = Kind::right_delimiter,
                       .text = std::string(kRight),
                       .position = at_,
                       .line = start_line_});
    pass_right();
    inside_ = false;
  }

  void action() {
    if (at_right()) {
      if (depth_ != 0) return fail("unclosed left paren");
      return right_delimiter();
    }
    const char32_t c = next();
    if (c == kNoRune) return fail("unclosed action");
    if (is_space(c)) return space();
    switch (c) {
      case '=':
        return emit(Kind::assign);
      case ':':
        return next() == '=' ? emit(Kind::declare) : fail("expected :=");
      case '|':
        return emit(Kind::pipe);
      case '"':
        return quote('"', Kind::string, "unterminated quoted string");
      case '\'':
        return quote('\'', Kind::character_constant, "unterminated character constant");
      case '`':
        return raw_quote();
      case '$':
        return word_after(Kind::variable, Kind::variable);
      case '(':
        ++depth_;
        return emit(Kind::left_paren);
      case ')':
        if (depth_-- == 0) return fail("unexpected right paren");
        return emit(Kind::right_paren);
      default:
        return operand(c);
    }
  }

  void operand(char32_t c) {
    const char32_t following = peek();
    if (c == '.' && !is_digit(following)) return word_after(Kind::field, Kind::dot);
    if (c == '.' || c == '+' || c == '-' || is_digit(c)) {
      at_ = start_;
      return number();
    }
    if (is_word_rune(c)) return identifier();
    if (c < 0x7F && c > ' ') return emit(Kind::character);
    fail(cat("unrecognized character in action: ", code_point(c)));
  }

  void space() {
    while (is_space(peek())) ++at_;
    // The last blank may belong to the marker of a right delimiter.
    if (right_trim_at(at_ - 1)) --at_;
    if (at_ > start_) emit(Kind::space);
  }

  [[nodiscard]] bool at_terminator() const {
    const char32_t c = peek();
    if (c == kNoRune || is_space(c)) return true;
    constexpr std::string_view kTerminators = ".,|:)(";
    return (c < 0x80 && kTerminators.find(static_cast<char>(c)) != std::string_view::npos) ||
           starts(kRight);
  }

  bool take_word() {
    char32_t c = peek();
    while (is_word_rune(c)) {
      next();
      c = peek();
    }
    if (at_terminator()) return true;
    fail(cat("bad character ", code_point(c)));
    return false;
  }

  void identifier() {
    if (!take_word()) return;
    const std::string_view word = input_.substr(start_, at_ - start_);
    if (is_keyword(word)) return emit(Kind::keyword);
    emit(word == "true" || word == "false" ? Kind::boolean : Kind::identifier);
  }

  /// What begins with a dot or a dollar sign, that sign read already.
  void word_after(Kind kind, Kind alone) {
    if (at_terminator()) return emit(alone);
    if (take_word()) emit(kind);
  }

  void quote(char32_t end, Kind kind, std::string_view unterminated) {
    for (;;) {
      char32_t c = next();
      if (c == end) return emit(kind);
      if (c == '\\') {
        c = next();
        if (c != kNoRune && c != '\n') continue;
      }
      if (c == kNoRune || c == '\n') return fail(std::string(unterminated));
    }
  }

  void raw_quote() {
    const std::size_t close = input_.find('`', at_);
    if (close == std::string_view::npos) return fail("unterminated raw quoted string");
    at_ = close + 1;
    emit(Kind::raw_string);
  }

  bool accept(std::string_view set) {
    if (at_ >= input_.size() || set.find(input_[at_]) == std::string_view::npos) return false;
    ++at_;
    return true;
  }
  void accept_run(std::string_view set) {
    while (accept(set)) continue;
  }

  void number() {
    std::string_view digits = "0123456789_";
    bool decimal = true;
    bool hex = false;
    accept("+-");
    if (accept("0")) {
      hex = accept("xX");
      if (hex) {
        digits = "0123456789abcdefABCDEF_";
      } else if (accept("oO")) {
        digits = "01234567_";
      } else if (accept("bB")) {
        digits = "01_";
      }
      decimal = digits.size() == 11;
    }
    accept_run(digits);
    if (accept(".")) accept_run(digits);
    if ((decimal && accept("eE")) || (hex && accept("pP"))) {
      accept("+-");
      accept_run("0123456789_");
    }
    if (is_word_rune(peek())) next();
    const std::string_view last = input_.substr(at_ - 1, 1);
    const bool bad = is_word_rune(static_cast<unsigned char>(last.front())) && !hex &&
                     !is_digit(static_cast<unsigned char>(last.front())) && last != "_" &&
                     !(decimal && (last == "e" || last == "E"));
    if (bad || (hex && is_word_rune(peek())) || at_ == start_) {
      return fail(cat("bad number syntax: ", go_quote(input_.substr(start_, at_ - start_))));
    }
    emit(Kind::number);
  }

  std::string_view input_;
  std::vector<Token> tokens_ = {};
  std::size_t at_ = 0;          ///< what is read next
  std::size_t start_ = 0;       ///< of the token in the making
  std::size_t start_line_ = 1;  ///< of start_
  std::size_t depth_ = 0;       ///< of parentheses
  bool inside_ = false;         ///< an action
  bool open_ = true;
};

}  // namespace

std::string Token::describe() const {
  constexpr std::size_t kShown = 10;
  if (kind == Kind::end) return "EOF";
  if (kind == Kind::error) return text;
  if (kind == Kind::keyword || kind == Kind::dot) return cat("<", text, ">");
  if (text.size() > kShown) return cat(go_quote(text.substr(0, kShown)), "...");
  return go_quote(text);
}

std::vector<Token> tokenise(std::string_view text) { return Lexer(text).run(); }

}  // namespace lade::templates
