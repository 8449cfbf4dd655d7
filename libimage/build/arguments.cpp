#include "libimage/build/arguments.h"

#include <cstdint>

#include "libimage/base/error.h"
#include "libimage/base/text.h"

namespace lade::build {
namespace {

bool is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\v' || c == '\f';
}

/// Reads JSON strictly and keeps only the strings of the outermost array.
class JsonList {
 public:
  explicit JsonList(std::string_view text) : text_(text) {}

  bool read() {
    blanks();
    if (!array(0)) return false;
    blanks();
    return at_ == text_.size();
  }
  std::vector<std::string> strings;
  bool only_strings = true;

 private:
  static constexpr int kMaxDepth = 32;

  void blanks() {
    while (at_ < text_.size() && is_blank(text_[at_])) ++at_;
  }
  bool take(char c) {
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  bool take(std::string_view word) {
    if (text_.substr(at_, word.size()) != word) return false;
    at_ += word.size();
    return true;
  }

  bool array(int depth) {
    if (depth > kMaxDepth || !take('[')) return false;
    blanks();
    if (take(']')) return true;
    do {
      blanks();
      std::string text;
      const bool is_string = at_ < text_.size() && text_[at_] == '"';
      if (is_string ? !string(text) : !value(depth + 1)) return false;
      if (depth == 0) {
        only_strings = only_strings && is_string;
        strings.push_back(std::move(text));
      }
      blanks();
    } while (take(','));
    return take(']');
  }

  bool object(int depth) {
    if (depth > kMaxDepth || !take('{')) return false;
    blanks();
    if (take('}')) return true;
    do {
      blanks();
      std::string name;
      if (!string(name)) return false;
      blanks();
      if (!take(':')) return false;
      blanks();
      if (!value(depth + 1)) return false;
      blanks();
    } while (take(','));
    return take('}');
  }

  bool value(int depth) {
    if (at_ >= text_.size()) return false;
    std::string ignored;
    switch (text_[at_]) {
      case '[':
        return array(depth);
      case '{':
        return object(depth);
      case '"':
        return string(ignored);
      case 't':
        return take(std::string_view("true"));
      case 'f':
        return take(std::string_view("false"));
      case 'n':
        return take(std::string_view("null"));
      default:
        return number();
    }
  }

  bool number() {
    const auto digits = [&] {
      const std::size_t start = at_;
      while (at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9') ++at_;
      return at_ > start;
    };
    take('-');
    if (!digits()) return false;
    if (take('.') && !digits()) return false;
    if (take('e') || take('E')) {
      if (!take('+')) take('-');
      return digits();
    }
    return true;
  }

  bool hex4(std::uint32_t& code) {
    code = 0;
    for (int i = 0; i < 4; ++i, ++at_) {
      if (at_ >= text_.size()) return false;
      const char c = text_[at_];
      std::uint32_t digit = 0;
      if (c >= '0' && c <= '9') {
        digit = static_cast<std::uint32_t>(c - '0');
      } else if (c >= 'a' && c <= 'f') {
        digit = static_cast<std::uint32_t>(c - 'a') + 10;
      } else if (c >= 'A' && c <= 'F') {
        digit = static_cast<std::uint32_t>(c - 'A') + 10;
      } else {
        return false;
      }
      code = code * 16 + digit;
    }
    return true;
  }

  static void append_utf8(std::string& out, std::uint32_t code) {
    const auto byte = [&](std::uint32_t value) { out += static_cast<char>(value); };
    if (code < 0x80) {
      byte(code);
    } else if (code < 0x800) {
      byte(0xC0U | (code >> 6U));
      byte(0x80U | (code & 0x3FU));
    } else if (code < 0x10000) {
      byte(0xE0U | (code >> 12U));
      byte(0x80U | ((code >> 6U) & 0x3FU));
      byte(0x80U | (code & 0x3FU));
    } else {
      byte(0xF0U | (code >> 18U));
      byte(0x80U | ((code >> 12U) & 0x3FU));
      byte(0x80U | ((code >> 6U) & 0x3FU));
      byte(0x80U | (code & 0x3FU));
    }
  }

  bool unicode_escape(std::string& out) {
    std::uint32_t code = 0;
    if (!hex4(code)) return false;
    if (code >= 0xD800 && code < 0xDC00) {
      std::uint32_t low = 0;
      const std::size_t before = at_;
      if (take(std::string_view("\\u")) && hex4(low) && low >= 0xDC00 && low < 0xE000) {
        code = 0x10000 + ((code - 0xD800) << 10U) + (low - 0xDC00);
      } else {
        at_ = before;
        code = 0xFFFD;  // a lone surrogate, as Go's decoder has it
      }
    } else if (code >= 0xDC00 && code < 0xE000) {
      code = 0xFFFD;
    }
    append_utf8(out, code);
    return true;
  }

  bool string(std::string& out) {
    if (!take('"')) return false;
    while (at_ < text_.size()) {
      const char c = text_[at_++];
      if (c == '"') return true;
      if (static_cast<unsigned char>(c) < 0x20) return false;
      if (c != '\\') {
        out += c;
        continue;
      }
      if (at_ >= text_.size()) return false;
      const char escape = text_[at_++];
      constexpr std::string_view kNames = "\"\\/bfnrt";
      constexpr std::string_view kValues = "\"\\/\b\f\n\r\t";
      if (escape == 'u') {
        if (!unicode_escape(out)) return false;
      } else if (const std::size_t which = kNames.find(escape); which != std::string_view::npos) {
        out += kValues[which];
      } else {
        return false;
      }
    }
    return false;
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

}  // namespace

std::vector<Flag> take_flags(std::string& arguments, char escape) {
  std::vector<Flag> flags;
  std::size_t at = 0;
  for (;;) {
    while (at < arguments.size() && is_blank(arguments[at])) ++at;
    if (arguments.compare(at, 2, "--") != 0) break;
    std::string word;
    char quote = 0;
    for (; at < arguments.size(); ++at) {
      const char c = arguments[at];
      if (quote == 0 && is_blank(c)) break;
      if (c == escape && quote != '\'' && at + 1 < arguments.size()) {
        word += arguments[++at];
      } else if (quote == 0 && (c == '\'' || c == '"')) {
        quote = c;
      } else if (c == quote) {
        quote = 0;
      } else {
        word += c;
      }
    }
    if (word == "--") break;
    const std::size_t equals = word.find('=');
    Flag flag{.name = word.substr(2, equals == std::string::npos ? equals : equals - 2)};
    if (equals != std::string::npos) flag.value = word.substr(equals + 1);
    flags.push_back(std::move(flag));
  }
  arguments.erase(0, at);
  arguments = std::string(trimmed(arguments));
  return flags;
}

std::vector<std::string> quoted_words(std::string_view text, char escape) {
  std::vector<std::string> out;
  std::string word;
  bool in_word = false;
  char quote = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quote == 0 && is_blank(c)) {
      if (in_word) out.push_back(std::move(word));
      word.clear();
      in_word = false;
      continue;
    }
    in_word = true;
    if (c == escape && quote != '\'') {
      if (i + 1 == text.size()) break;  // a lone escape at the end is dropped
      word += c;
      word += text[++i];
      continue;
    }
    if (quote == 0 && (c == '\'' || c == '"')) {
      quote = c;
    } else if (c == quote) {
      quote = 0;
    }
    word += c;
  }
  if (in_word) out.push_back(std::move(word));
  return out;
}

std::vector<std::string> plain_words(std::string_view text) {
  std::vector<std::string> out;
  std::size_t start = 0;
  for (std::size_t i = 0; i <= text.size(); ++i) {
    if (i < text.size() && !is_blank(text[i])) continue;
    if (i > start) out.emplace_back(text.substr(start, i - start));
    start = i + 1;
  }
  return out;
}

std::vector<Pair> pairs_of(std::string_view text, char escape, std::string_view keyword) {
  const std::vector<std::string> words = quoted_words(text, escape);
  if (words.empty())
    throw Error(Errc::invalid_content, cat(keyword, " needs at least one name=value"));
  if (words[0].find('=') == std::string::npos) {
    std::size_t end = 0;
    while (end < text.size() && !is_blank(text[end])) ++end;
    const std::string_view rest = trimmed(text.substr(end));
    if (rest.empty())
      throw Error(Errc::invalid_content, cat(keyword, " ", quoted(words[0]), " has no value"));
    return {{.name = std::string(text.substr(0, end)), .value = std::string(rest)}};
  }
  std::vector<Pair> out;
  for (const std::string& word : words) {
    const std::size_t equals = word.find('=');
    if (equals == std::string::npos)
      throw Error(Errc::invalid_content,
                  cat("cannot find = in ", quoted(word), ": the form is name=value"));
    if (equals == 0)
      throw Error(Errc::invalid_content, cat(keyword, " has an empty name in ", quoted(word)));
    out.push_back({.name = word.substr(0, equals), .value = word.substr(equals + 1)});
  }
  return out;
}

std::optional<std::vector<std::string>> json_strings(std::string_view text) {
  if (!trimmed(text).starts_with('[')) return std::nullopt;
  JsonList list(text);
  if (!list.read()) return std::nullopt;
  if (!list.only_strings)
    throw Error(Errc::invalid_content, "a JSON list here may hold only strings");
  return std::move(list.strings);
}

std::string double_quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else {
      out += c;
    }
  }
  return out + '"';
}

std::string quoted_list(const std::vector<std::string>& words) {
  std::string out = "[";
  for (const std::string& word : words) out += cat(out.size() > 1 ? " " : "", double_quoted(word));
  return out + "]";
}

}  // namespace lade::build
