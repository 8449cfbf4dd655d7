#include "libimage/build/word.h"

#include "libimage/base/error.h"
#include "libimage/base/text.h"

namespace lade::build {
namespace {

constexpr int kMaxNesting = 100;  // ${a:-${b:-...}}: deeper only attacks the stack

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_name(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c) || c == '_';
}
bool is_special(char c) { return std::string_view("@*#?-$!").find(c) != std::string_view::npos; }
bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\v'; }

[[noreturn]] void fail(std::string message) {
  throw Error(Errc::invalid_content, std::move(message));
}

enum class Escapes { processed, kept };

/// Reads one text from front to back. Words are collected beside the result, so that both word()
/// and words() are one pass.
class Scanner {
 public:
  Scanner(std::string_view text, const VariableLookup& lookup, char escape, bool quotes)
      : text_(text), lookup_(lookup), escape_(escape), quotes_(quotes) {}

  std::string all() {
    std::string out = until('\0', Escapes::processed, 0);
    end_word();
    return out;
  }
  std::vector<std::string> take_words() { return std::move(words_); }

 private:
  [[nodiscard]] bool at_end() const { return at_ >= text_.size(); }
  [[nodiscard]] char peek() const { return text_[at_]; }

  void append(std::string& out, std::string_view piece) const {
    if (out.size() + piece.size() > kMaxExpandedBytes)
      throw Error(Errc::limit_exceeded,
                  cat("the expanded text has more than ", kMaxExpandedBytes, " bytes"));
    out += piece;
  }

  void end_word() {
    if (in_word_) words_.push_back(std::move(word_));
    word_.clear();
    in_word_ = false;
  }

  /// To the end, or just past `stop`. Nested calls (depth > 0) leave the words alone: what they
  /// return becomes part of one word.
  std::string until(char stop, Escapes escapes, int depth) {
    if (depth > kMaxNesting) fail("the expression is nested too deeply");
    std::string out;
    const auto add = [&](std::string_view piece) {
      append(out, piece);
      if (depth > 0) return;
      append(word_, piece);
      in_word_ = true;
    };
    while (!at_end()) {
      const char c = peek();
      if (stop != '\0' && c == stop) {
        ++at_;
        return out;
      }
      if (quotes_ && c == '\'') {
        add(single_quoted());
      } else if (quotes_ && c == '"') {
        add(double_quoted(depth));
      } else if (c == '$') {
        add_variable(out, depth);
      } else if (c == escape_) {
        ++at_;
        if (escapes == Escapes::kept) add(std::string_view(&escape_, 1));
        if (at_end()) break;  // a lone escape at the end is dropped
        add(escaped());
      } else {
        ++at_;
        if (depth == 0 && is_blank(c)) {
          end_word();
          append(out, std::string_view(&c, 1));
        } else {
          add(std::string_view(&c, 1));
        }
      }
    }
    if (stop == '}') fail("syntax error: missing '}'");
    if (stop != '\0') fail("syntax error: missing '/' in ${");
    return out;
  }

  /// The character behind an escape. Without quotes (heredocs) only $ and the escape itself lose
  /// it.
  std::string escaped() {
    const char next = text_[at_++];
    if (quotes_ || next == '$' || next == escape_) return std::string(1, next);
    if (next == '\n') return {};
    return {escape_, next};
  }

  void add_variable(std::string& out, int depth) {
    const std::string value = variable(depth);
    append(out, value);
    if (depth > 0) return;
    // What a variable brings is split at blanks only where words are asked for.
    for (const char c : value) {
      if (is_blank(c)) {
        end_word();
      } else {
        append(word_, std::string_view(&c, 1));
        in_word_ = true;
      }
    }
  }

  std::string single_quoted() {
    const std::size_t end = text_.find('\'', at_ + 1);
    if (end == std::string_view::npos)
      fail("unexpected end of statement while looking for matching single-quote");
    std::string out(text_.substr(at_ + 1, end - at_ - 1));
    at_ = end + 1;
    return out;
  }

  std::string double_quoted(int depth) {
    ++at_;
    std::string out;
    while (!at_end()) {
      const char c = peek();
      if (c == '"') {
        ++at_;
        return out;
      }
      if (c == '$') {
        append(out, variable(depth + 1));
        continue;
      }
      ++at_;
      if (c == escape_ && !at_end()) {
        const char next = peek();
        if (next == '"' || next == '$' || next == escape_) {
          ++at_;
          append(out, std::string_view(&next, 1));
          continue;
        }
      }
      append(out, std::string_view(&c, 1));
    }
    fail("unexpected end of statement while looking for matching double-quote");
  }

  std::string name() {
    const std::size_t start = at_;
    if (!at_end() && is_digit(peek())) {
      while (!at_end() && is_digit(peek())) ++at_;
    } else if (!at_end() && is_special(peek())) {
      ++at_;
    } else {
      while (!at_end() && is_name(peek())) ++at_;
    }
    return std::string(text_.substr(start, at_ - start));
  }

  [[nodiscard]] std::optional<std::string> value_of(const std::string& name) const {
    if (name.empty() || is_digit(name[0]) || is_special(name[0])) return std::nullopt;
    return lookup_(name);
  }

  std::string variable(int depth) {
    ++at_;  // the dollar
    if (at_end() || peek() != '{') {
      const std::string plain = name();
      return plain.empty() ? "$" : value_of(plain).value_or("");
    }
    ++at_;
    if (at_end()) fail("syntax error: missing '}'");
    if (peek() == '{' || peek() == '}' || peek() == ':') fail("syntax error: bad substitution");
    const std::string variable_name = name();
    if (at_end()) fail("syntax error: missing '}'");
    const char modifier = text_[at_++];
    if (modifier == '}') return value_of(variable_name).value_or("");
    if (modifier == '/') return replacing(variable_name, depth);
    if (modifier != ':') return modified(variable_name, modifier, false, depth);
    if (at_end()) fail("syntax error: missing '}'");
    const char second = text_[at_++];
    if (second != '-' && second != '+' && second != '?')
      fail(cat("unsupported modifier (:", printable(std::string_view(&second, 1)),
               ") in substitution"));
    return modified(variable_name, second, true, depth);
  }

  std::string modified(const std::string& variable_name, char modifier, bool empty_is_unset,
                       int depth) {
    if (std::string_view("-+?#%").find(modifier) == std::string_view::npos)
      fail(cat("unsupported modifier (", printable(std::string_view(&modifier, 1)),
               ") in substitution"));
    const bool pattern = modifier == '#' || modifier == '%';
    std::string word = until('}', pattern ? Escapes::kept : Escapes::processed, depth + 1);
    const std::optional<std::string> value = value_of(variable_name);
    const bool missing = !value || (empty_is_unset && value->empty());
    switch (modifier) {
      case '-':
        return missing ? word : *value;
      case '+':
        return missing ? std::string() : word;
      case '?':
        if (!missing) return *value;
        if (word.empty()) word = value ? "not allowed to be empty" : "not allowed to be unset";
        fail(cat(variable_name, ": ", printable(word)));
      default:
        break;
    }
    const bool longest = word.starts_with(modifier);
    const std::string_view text = std::string_view(word).substr(longest ? 1 : 0);
    return modifier == '#' ? without_prefix(value.value_or(""), text, longest)
                           : without_suffix(value.value_or(""), text, longest);
  }

  std::string replacing(const std::string& variable_name, int depth) {
    const bool every = !at_end() && peek() == '/';
    if (every) ++at_;
    const std::string pattern = until('/', Escapes::kept, depth + 1);
    const std::string replacement = until('}', Escapes::processed, depth + 1);
    return replaced(value_of(variable_name).value_or(""), pattern, replacement, every);
  }

  std::string_view text_;
  const VariableLookup& lookup_;
  char escape_;
  bool quotes_;
  std::size_t at_ = 0;
  std::vector<std::string> words_;
  std::string word_;
  bool in_word_ = false;
};

/// A pattern as steps: one character each, any one character, or any run of them.
struct Step {
  enum class Kind { literal, one, run } kind = Kind::literal;
  char c = 0;
};

std::vector<Step> steps_of(std::string_view pattern) {
  std::vector<Step> out;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    if (pattern[i] == '\\' && i + 1 < pattern.size()) {
      out.push_back({Step::Kind::literal, pattern[++i]});
    } else if (pattern[i] == '*') {
      if (out.empty() || out.back().kind != Step::Kind::run) out.push_back({Step::Kind::run, 0});
    } else if (pattern[i] == '?') {
      out.push_back({Step::Kind::one, 0});
    } else {
      out.push_back({Step::Kind::literal, pattern[i]});
    }
  }
  return out;
}

/// Runs all positions of a pattern over a text side by side: no backtracking, and a budget, because
/// pattern and text both come from the file.
class Matcher {
 public:
  explicit Matcher(std::vector<Step> steps) : steps_(std::move(steps)) {}

  /// Length of the shortest or longest front of `text` that matches.
  std::optional<std::size_t> front(std::string_view text, bool longest) {
    std::vector<bool> now(steps_.size() + 1);
    enter(now, 0);
    std::optional<std::size_t> found;
    for (std::size_t i = 0;; ++i) {
      if (now[steps_.size()]) {
        found = i;
        if (!longest) return found;
      }
      if (i == text.size()) return found;
      spend(steps_.size() + 1);
      std::vector<bool> next(steps_.size() + 1);
      bool alive = false;
      for (std::size_t s = 0; s < steps_.size(); ++s) {
        if (!now[s]) continue;
        const Step& step = steps_[s];
        if (step.kind == Step::Kind::run) {
          enter(next, s);
          alive = true;
        } else if (step.kind == Step::Kind::one || step.c == text[i]) {
          enter(next, s + 1);
          alive = true;
        }
      }
      if (!alive) return found;
      now = std::move(next);
    }
  }

 private:
  void enter(std::vector<bool>& set, std::size_t state) const {
    set[state] = true;
    while (state < steps_.size() && steps_[state].kind == Step::Kind::run) set[++state] = true;
  }
  void spend(std::size_t work) {
    spent_ += work;
    if (spent_ > kBudget)
      throw Error(Errc::limit_exceeded, "matching the pattern of a substitution takes too long");
  }
  static constexpr std::size_t kBudget = 50'000'000;
  std::vector<Step> steps_;
  std::size_t spent_ = 0;
};

}  // namespace

std::string without_prefix(std::string_view value, std::string_view pattern, bool longest) {
  const auto length = Matcher(steps_of(pattern)).front(value, longest);
  return std::string(value.substr(length.value_or(0)));
}

std::string without_suffix(std::string_view value, std::string_view pattern, bool longest) {
  std::vector<Step> steps = steps_of(pattern);
  const std::vector<Step> backwards(steps.rbegin(), steps.rend());
  const std::string mirrored(value.rbegin(), value.rend());
  const auto length = Matcher(backwards).front(mirrored, longest);
  return std::string(value.substr(0, value.size() - length.value_or(0)));
}

std::string replaced(std::string_view value, std::string_view pattern, std::string_view replacement,
                     bool all) {
  Matcher matcher(steps_of(pattern));
  std::string out;
  std::size_t at = 0;
  while (at <= value.size()) {
    const auto length = matcher.front(value.substr(at), true);
    if (length && (*length > 0 || !all)) {
      if (out.size() + replacement.size() > kMaxExpandedBytes)
        throw Error(Errc::limit_exceeded,
                    cat("the expanded text has more than ", kMaxExpandedBytes, " bytes"));
      out += replacement;
      at += *length;
      if (!all) return out += value.substr(at);
      continue;
    }
    if (at == value.size()) break;
    out += value[at++];
  }
  return out;
}

std::string Expander::word(std::string_view text) const {
  return Scanner(text, lookup_, escape_, true).all();
}

std::vector<std::string> Expander::words(std::string_view text) const {
  Scanner scanner(text, lookup_, escape_, true);
  scanner.all();
  return scanner.take_words();
}

std::string Expander::heredoc(std::string_view text) const {
  return Scanner(text, lookup_, '\\', false).all();
}

}  // namespace lade::build
