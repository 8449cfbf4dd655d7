// fmt's verbs over values: flags, width, precision and Go's own complaints inside the text.
#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>

#include "libimage/base/text.h"
#include "libimage/template/functions.h"
#include "libimage/template/go_text.h"

namespace lade::templates {
namespace {

/// Widths beyond this are a mistake, says fmt.
constexpr std::int64_t kMostWidth = 1'000'000;

struct Directive {
  bool minus = false, plus = false, sharp = false, space = false, zero = false;
  std::optional<std::size_t> width = {};
  std::optional<std::size_t> precision = {};
};

class Printer {
 public:
  Printer(const std::vector<Value>& arguments, std::size_t max_bytes)
      : format_(*arguments.front().text()), arguments_(arguments), max_bytes_(max_bytes) {}

  std::string run() {
    while (at_ < format_.size()) {
      const std::size_t percent = std::min(format_.find('%', at_), format_.size());
      out_ += format_.substr(at_, percent - at_);
      at_ = percent;
      if (at_ < format_.size()) directive();
      if (out_.size() > max_bytes_) throw FunctionError("the result is too long");
    }
    if (next_ < arguments_.size()) append_extra();
    return std::move(out_);
  }

 private:
  void directive() {
    ++at_;
    Directive directive;
    flags(directive);
    directive.width = number(directive, "%!(BADWIDTH)");
    if (at_ < format_.size() && format_[at_] == '.') {
      ++at_;
      directive.precision = number(directive, "%!(BADPREC)");
      if (!directive.precision) directive.precision = 0;
    }
    if (at_ >= format_.size()) {
      out_ += "%!(NOVERB)";
      return;
    }
    char32_t verb = 0;
    const std::size_t length = decode_rune(format_.substr(at_), verb);
    const std::string_view spelled = format_.substr(at_, length);
    at_ += length;
    if (verb == '%') {
      out_ += '%';
    } else if (next_ >= arguments_.size()) {
      out_ += cat("%!", spelled, "(MISSING)");
    } else {
      value(directive, verb < 0x80 ? static_cast<char>(verb) : '\0', spelled, arguments_[next_++]);
    }
  }

  void flags(Directive& directive) {
    for (; at_ < format_.size(); ++at_) {
      switch (format_[at_]) {
        case '-':
          directive.minus = true;
          directive.zero = false;
          break;
        case '+':
          directive.plus = true;
          break;
        case '#':
          directive.sharp = true;
          break;
        case ' ':
          directive.space = true;
          break;
        case '0':
          directive.zero = !directive.minus;
          break;
        default:
          return;
      }
    }
  }

  std::optional<std::size_t> number(Directive& directive, std::string_view complaint) {
    if (at_ < format_.size() && format_[at_] == '*') {
      ++at_;
      const auto* given =
          next_ < arguments_.size() ? arguments_[next_].as<std::int64_t>() : nullptr;
      if (next_ < arguments_.size()) ++next_;
      if (given == nullptr || *given > kMostWidth || *given < -kMostWidth) {
        out_ += complaint;
        return std::nullopt;
      }
      if (*given < 0) directive.minus = true;
      return static_cast<std::size_t>(std::abs(*given));
    }
    const std::size_t first = at_;
    std::int64_t read = 0;
    while (at_ < format_.size() && format_[at_] >= '0' && format_[at_] <= '9') {
      read = std::min(kMostWidth + 1, read * 10 + (format_[at_] - '0'));
      ++at_;
    }
    if (at_ == first || read > kMostWidth) return std::nullopt;
    return static_cast<std::size_t>(read);
  }

  void append_extra() {
    out_ += "%!(EXTRA ";
    for (std::size_t i = next_; i < arguments_.size(); ++i) {
      if (i != next_) out_ += ", ";
      const Value& extra = arguments_[i];
      const bool none = extra.is_missing() || extra.is_nil();
      out_ += none ? "<nil>" : cat(extra.type_name(), "=", print_value(extra));
    }
    out_ += ')';
  }

  /// Appends `text` in its width; `zeros` fill on the left, behind a sign.
  void pad(const Directive& directive, std::string_view text, bool zeros) {
    std::size_t runes = 0;
    for (const char c : text) runes += (static_cast<unsigned char>(c) & 0xC0U) != 0x80 ? 1 : 0;
    const std::size_t width = directive.width.value_or(0);
    const std::size_t fill = width > runes ? width - runes : 0;
    if (directive.minus) {
      out_ += text;
      out_.append(fill, ' ');
    } else if (zeros && directive.zero) {
      const bool sign = !text.empty() && (text[0] == '-' || text[0] == '+' || text[0] == ' ');
      if (sign) out_ += text[0];
      out_.append(fill, '0');
      out_ += text.substr(sign ? 1 : 0);
    } else {
      out_.append(fill, ' ');
      out_ += text;
    }
  }

  void bad_verb(std::string_view verb, const Value& value) {
    const bool none = value.is_missing() || value.is_nil();
    out_ += none ? cat("%!", verb, "(<nil>)")
                 : cat("%!", verb, "(", value.type_name(), "=", print_value(value), ")");
  }

  void value(const Directive& directive, char verb, std::string_view spelled, const Value& value) {
    if (verb == 'T') {
      const bool none = value.is_missing() || value.is_nil();
      return pad(directive, none ? "<nil>" : value.type_name(), false);
    }
    if (const auto* boolean = value.as<bool>()) {
      if (verb != 't' && verb != 'v') return bad_verb(spelled, value);
      return pad(directive, *boolean ? "true" : "false", false);
    }
    if (const auto* number = value.as<std::int64_t>())
      return integer(directive, verb, spelled, value, *number);
    if (const auto* number = value.as<double>())
      return real(directive, verb, spelled, value, *number);
    if (const auto* held = value.text()) return text(directive, verb, spelled, value, *held);
    other(directive, verb, spelled, value);
  }

  /// A value within another: nil is shown there whatever the verb.
  void item(const Directive& directive, char verb, std::string_view spelled, const Value& held) {
    if (held.is_missing() || held.is_nil()) {
      out_ += "<nil>";
    } else {
      value(directive, verb, spelled, held);
    }
  }

  /// Lists, maps, records and nil: the verb for each of their values, as fmt does.
  void other(const Directive& directive, char verb, std::string_view spelled, const Value& value) {
    const auto* list = value.list();
    const auto* map = value.map();
    if (list != nullptr && verb != 'v') {
      out_ += '[';
      for (std::size_t i = 0; i < list->items.size(); ++i) {
        if (i != 0) out_ += ' ';
        item(directive, verb, spelled, list->items[i]);
      }
      out_ += ']';
    } else if (map != nullptr && verb != 'v') {
      out_ += "map[";
      bool first = true;
      for (const auto& [key, held] : map->entries) {
        if (!first) out_ += ' ';
        first = false;
        item(directive, verb, spelled, Value::of(key));
        out_ += ':';
        item(directive, verb, spelled, held);
      }
      out_ += ']';
    } else if (verb == 'v' || (verb == 's' && value.as<Timestamp>() != nullptr)) {
      pad(directive, print_value(value), false);
    } else {
      bad_verb(spelled, value);
    }
  }

  void text(const Directive& directive, char verb, std::string_view spelled, const Value& value,
            const std::string& held) {
    std::string_view shown = held;
    if (directive.precision && (verb == 's' || verb == 'v' || verb == 'q')) {
      std::size_t end = 0;
      for (std::size_t i = 0; i < *directive.precision && end < held.size(); ++i) {
        char32_t rune = 0;
        end += decode_rune(shown.substr(end), rune);
      }
      shown = shown.substr(0, end);
    }
    switch (verb) {
      case 's':
        return pad(directive, shown, true);
      case 'v':
        return pad(directive, directive.sharp ? go_quote(shown) : std::string(shown), true);
      case 'q': {
        const bool raw = directive.sharp && shown.find('`') == std::string_view::npos;
        return pad(directive, raw ? cat("`", shown, "`") : go_quote(shown), true);
      }
      case 'x':
      case 'X':
        return pad(directive, hex_text(shown, verb), true);
      default:
        return bad_verb(spelled, value);
    }
  }

  static std::string hex_text(std::string_view text, char verb) {
    const std::string_view digits = verb == 'x' ? "0123456789abcdef" : "0123456789ABCDEF";
    std::string out;
    for (const char c : text) {
      const auto byte = static_cast<unsigned char>(c);
      out += digits[byte >> 4U];
      out += digits[byte & 0xFU];
    }
    return out;
  }

  void integer(const Directive& directive, char verb, std::string_view spelled, const Value& value,
               std::int64_t number) {
    int base = 10;
    std::string prefix;
    switch (verb) {
      case 'd':
      case 'v':
        break;
      case 'b':
        base = 2;
        prefix = "0b";
        break;
      case 'o':
        base = 8;
        prefix = "0";
        break;
      case 'O':
        base = 8;
        break;
      case 'x':
      case 'X':
        base = 16;
        prefix = verb == 'x' ? "0x" : "0X";
        break;
      case 'c':
      case 'q':
      case 'U':
        return rune(directive, verb, number);
      default:
        return bad_verb(spelled, value);
    }
    std::array<char, 72> digits{};
    const std::uint64_t size =
        number < 0 ? 0 - static_cast<std::uint64_t>(number) : static_cast<std::uint64_t>(number);
    const auto done = std::to_chars(digits.data(), digits.data() + digits.size(), size, base);
    std::string shown(digits.data(), done.ptr);
    if (verb == 'X') std::transform(shown.begin(), shown.end(), shown.begin(), upper_digit);
    if (directive.precision && shown.size() < *directive.precision)
      shown.insert(0, *directive.precision - shown.size(), '0');
    if (directive.sharp) shown.insert(0, prefix);
    if (verb == 'O') shown.insert(0, "0o");
    shown.insert(0, number < 0 ? "-" : directive.plus ? "+" : directive.space ? " " : "");
    pad(directive, shown, !directive.precision);
  }

  static char upper_digit(char c) { return c >= 'a' && c <= 'f' ? static_cast<char>(c - 32) : c; }

  void rune(const Directive& directive, char verb, std::int64_t number) {
    constexpr std::int64_t kLast = 0x10FFFF;
    const bool valid = number >= 0 && number <= kLast;
    std::string shown;
    append_utf8(shown, valid ? static_cast<char32_t>(number) : 0xFFFD);
    if (verb == 'q') {
      std::string quoted = go_quote(shown);
      if (shown == "\"") quoted = "'\"'";
      if (shown == "'") quoted = "'\\''";
      quoted.front() = quoted.back() = '\'';
      shown = quoted;
    } else if (verb == 'U') {
      std::array<char, 20> digits{};
      const int length = std::snprintf(digits.data(), digits.size(), "U+%04llX",
                                       static_cast<unsigned long long>(number));
      shown.assign(digits.data(), static_cast<std::size_t>(length));
    }
    pad(directive, shown, true);
  }

  void real(const Directive& directive, char verb, std::string_view spelled, const Value& value,
            double number) {
    std::array<char, 512> digits{};
    char* const end = digits.data() + digits.size();
    std::to_chars_result done{digits.data(), std::errc()};
    const int precision =
        static_cast<int>(std::min<std::size_t>(directive.precision.value_or(6), 100));
    std::string shown;
    switch (verb) {
      case 'v':
      case 'g':
      case 'G':
        if (!directive.precision) {
          shown = go_float(number);
        } else {
          done = std::to_chars(digits.data(), end, number, std::chars_format::general, precision);
        }
        break;
      case 'e':
      case 'E':
        done = std::to_chars(digits.data(), end, number, std::chars_format::scientific, precision);
        break;
      case 'f':
      case 'F':
        done = std::to_chars(digits.data(), end, number, std::chars_format::fixed, precision);
        break;
      default:
        return bad_verb(spelled, value);
    }
    if (shown.empty()) shown.assign(digits.data(), done.ptr);
    if (verb == 'E' || verb == 'G')
      std::transform(shown.begin(), shown.end(), shown.begin(),
                     [](char c) { return c == 'e' ? 'E' : c; });
    const bool negative = shown.starts_with("-");
    if (!negative && !shown.starts_with("+"))
      shown.insert(0, directive.plus ? "+" : directive.space ? " " : "");
    pad(directive, shown, std::isfinite(number));
  }

  std::string_view format_;
  const std::vector<Value>& arguments_;
  std::size_t max_bytes_;
  std::size_t at_ = 0;
  std::size_t next_ = 1;
  std::string out_ = {};
};

}  // namespace

std::string print_formatted(const std::vector<Value>& arguments, const CallContext& context) {
  return Printer(arguments, context.max_bytes).run();
}

std::string print_plain(const std::vector<Value>& arguments) {
  std::string out;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const bool text = arguments[i].text() != nullptr;
    if (i != 0 && !text && arguments[i - 1].text() == nullptr) out += ' ';
    out += print_value(arguments[i]);
  }
  return out;
}

std::string print_line(const std::vector<Value>& arguments) {
  std::string out;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    if (i != 0) out += ' ';
    out += print_value(arguments[i]);
  }
  return out + '\n';
}

}  // namespace lade::templates
