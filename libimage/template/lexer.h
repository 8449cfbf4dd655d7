/// Template text to tokens. Internal to libimage/template.
#pragma once
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace lade::templates {

struct Token {
  enum class Kind {
    error,  ///< what is wrong, in `text`; always the last token
    end,    ///< of the template
    text,
    left_delimiter,
    right_delimiter,
    space,
    assign,   ///< =
    declare,  ///< :=
    pipe,
    left_paren,
    right_paren,
    character,  ///< any other printable one, e.g. a comma
    boolean,
    character_constant,
    number,
    string,
    raw_string,
    identifier,
    field,  ///< with its dot
    variable,
    dot,
    keyword,  ///< block, break, continue, define, else, end, if, nil, range, template, with
  };
  Kind kind = Kind::end;
  std::string text = {};
  std::size_t position = 0;  ///< in bytes
  std::size_t line = 1;

  [[nodiscard]] bool is(Kind wanted) const noexcept { return kind == wanted; }
  [[nodiscard]] bool is_keyword(std::string_view word) const noexcept {
    return kind == Kind::keyword && text == word;
  }
  /// As messages show it.
  [[nodiscard]] std::string describe() const;
};

/// The tokens of `text`, the last one an end or an error.
std::vector<Token> tokenise(std::string_view text);

}  // namespace lade::templates
