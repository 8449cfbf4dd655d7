/// The outer layer of the Containerfile language: directives, comments, continued lines, heredocs.
/// Follows BuildKit's parser where the peers differ.
#pragma once
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "libimage/build/source_text.h"

namespace lade::build {

/// `<<NAME` of a RUN, COPY or ADD with the lines that followed.
struct Heredoc {
  std::string name;     ///< the delimiter, without quotes
  std::string content;  ///< every line with its newline; leading tabs are still there
  bool expand = true;   ///< false: the delimiter was quoted
  bool chomp = false;   ///< `<<-`: leading tabs are to be stripped
  bool operator==(const Heredoc&) const = default;

  /// The delimiter as the name of the file that holds the body. Throws Error{invalid_content} if it
  /// cannot be one.
  [[nodiscard]] std::string file_name() const;
  /// The content with leading tabs stripped where `chomp` asks for it.
  [[nodiscard]] std::string body() const;
};

/// One instruction as written: continued lines joined, comments gone.
struct LogicalLine {
  std::string keyword;    ///< upper case
  std::string arguments;  ///< what follows, blanks at both ends removed
  std::vector<Heredoc> heredocs = {};
  LineRange lines = {};
  std::string written = {};                ///< the keyword as it stands in the file
  std::vector<std::string> comments = {};  ///< directly above, without '#' and blanks around
  std::size_t empty_continuation = 0;  ///< last joined line if an empty one was among them, else 0
};

struct LexedFile {
  char escape = '\\';
  std::map<std::string, std::string> directives = {};  ///< lower-case name to value
  std::vector<LogicalLine> instructions = {};
};

/// Bounds: a line of 64 KiB, as BuildKit's scanner; a file, so that nothing below needs its own.
inline constexpr std::size_t kMaxLineBytes = 65535;
inline constexpr std::size_t kMaxContainerfileBytes = std::size_t{4} * 1024 * 1024;

/// Splits the text. Error{invalid_content} with place and excerpt: a line too long, a duplicate or
/// bad directive, a heredoc without its end, a file without instructions, a NUL byte.
LexedFile lex(const SourceText& source);

/// Splits the one line of an ONBUILD trigger ("RUN make").
LogicalLine lex_trigger(std::string_view text, const LineRange& lines);

/// The words of a shell line that open heredocs ("<<EOF", "3<<-'EOF'"), in order, without content.
std::vector<Heredoc> heredocs_of(std::string_view line);

/// The heredoc that `word` opens, if it is one whole.
std::optional<Heredoc> heredoc_of_word(std::string_view word);

}  // namespace lade::build
