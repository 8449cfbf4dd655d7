/// Variable expansion of Containerfile words: BuildKit's shell/lex.go, every modifier.
#pragma once
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lade::build {

/// The value of a variable; nullopt if it is not set.
using VariableLookup = std::function<std::optional<std::string>(std::string_view name)>;

/// An expansion may double what it reads (ENV A=$A$A): the result is bounded.
inline constexpr std::size_t kMaxExpandedBytes = std::size_t{1} << 20U;

/// Expands variables, removes quotes and escapes.
///
///   $n ${n} ${n:-w} ${n-w} ${n:+w} ${n+w} ${n:?m} ${n?m} ${n#p} ${n##p} ${n%p} ${n%%p} ${n/p/r}
///   ${n//p/r}
///
/// Words nest. Patterns know `*`, `?` and `\` before any character. Single quotes are literal;
/// double quotes expand, and only \" \$ \\ are escapes there. Positional ($1) and special ($@ $#
/// $$ ...) parameters are empty. Throws Error{invalid_content} with the rule that is broken.
class Expander {
 public:
  explicit Expander(VariableLookup lookup, char escape = '\\')
      : lookup_(std::move(lookup)), escape_(escape) {}

  [[nodiscard]] std::string word(std::string_view text) const;
  /// As word(), then split at blanks that came neither from quotes nor from escapes.
  [[nodiscard]] std::vector<std::string> words(std::string_view text) const;
  /// The content of a heredoc for COPY and ADD: quotes are literal, the escape is always `\`.
  [[nodiscard]] std::string heredoc(std::string_view text) const;

 private:
  VariableLookup lookup_;
  char escape_;
};

/// The shortest or longest prefix (suffix) of `value` that matches `pattern`, removed.
std::string without_prefix(std::string_view value, std::string_view pattern, bool longest);
std::string without_suffix(std::string_view value, std::string_view pattern, bool longest);
/// The first match (each match) of `pattern`, the longest at its place, replaced.
std::string replaced(std::string_view value, std::string_view pattern, std::string_view replacement,
                     bool all);

}  // namespace lade::build
