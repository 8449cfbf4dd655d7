#include "libimage/build/lexer.h"

#include <algorithm>
#include <optional>

#include "libimage/base/text.h"

namespace lade::build {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

std::string_view without_leading_blanks(std::string_view text) {
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  return text;
}

bool is_comment(std::string_view line) { return without_leading_blanks(line).starts_with('#'); }

/// The file's physical lines, one after another, without their line ends.
class LineCursor {
 public:
  explicit LineCursor(const SourceText& source) : source_(source), rest_(source.text()) {
    if (rest_.starts_with(kByteOrderMark)) rest_.remove_prefix(kByteOrderMark.size());
  }
  bool next(std::string_view& line) {
    if (rest_.empty()) return false;
    const std::size_t end = rest_.find('\n');
    line = rest_.substr(0, end);
    rest_.remove_prefix(end == std::string_view::npos ? rest_.size() : end + 1);
    ++number_;
    if (line.size() > kMaxLineBytes)
      throw source_.error(Errc::limit_exceeded, {number_, number_},
                          cat("the line has more than ", kMaxLineBytes, " bytes"));
    while (line.ends_with('\r')) line.remove_suffix(1);
    return true;
  }
  [[nodiscard]] std::size_t number() const { return number_; }

 private:
  const SourceText& source_;
  std::string_view rest_;
  std::size_t number_ = 0;
};

/// Removes a continuation at the end of `line` (escape, then blanks); false if the line ends here.
bool take_continuation(std::string_view& line, char escape) {
  std::string_view text = line;
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  if (!text.ends_with(escape)) return false;
  text.remove_suffix(1);
  if (text.ends_with(escape)) return false;  // an escaped escape
  line = text;
  return true;
}

/// "# name=value" taken apart; nullopt if the line is no directive.
std::optional<std::pair<std::string, std::string>> directive_of(std::string_view line) {
  if (!line.starts_with('#')) return std::nullopt;
  line = without_leading_blanks(line.substr(1));
  std::size_t end = 0;
  while (end < line.size() && (is_letter(line[end]) || (end > 0 && is_digit(line[end])))) ++end;
  if (end == 0) return std::nullopt;
  const std::string_view name = line.substr(0, end);
  line = without_leading_blanks(line.substr(end));
  if (!line.starts_with('=')) return std::nullopt;
  return std::pair(lower_case(name), std::string(trimmed(line.substr(1))));
}

/// Reads directives until the first line that is none; that line comes back in `line`.
bool read_directives(const SourceText& source, LineCursor& cursor, LexedFile& file,
                     std::string_view& line) {
  while (cursor.next(line)) {
    const auto directive = directive_of(without_leading_blanks(line));
    if (!directive) return true;
    const auto& [name, value] = *directive;
    if (name != "escape" && name != "syntax" && name != "check") return true;
    const LineRange here{cursor.number(), cursor.number()};
    if (!file.directives.emplace(name, value).second)
      throw source.error(Errc::invalid_content, here, cat("directive ", name, " is given twice"));
    if (name == "escape") {
      if (value != "\\" && value != "`")
        throw source.error(Errc::invalid_content, here,
                           cat("escape must be \\ or `, not ", quoted(value)));
      file.escape = value[0];
    }
  }
  return false;
}

bool takes_heredocs(const LogicalLine& line) {
  std::string_view keyword = line.keyword;
  std::string_view rest = line.arguments;
  std::string inner;
  if (keyword == "ONBUILD") {
    const std::size_t end = std::min(rest.find_first_of(" \t"), rest.size());
    inner = lower_case(rest.substr(0, end));
    std::transform(inner.begin(), inner.end(), inner.begin(),
                   [](char c) { return is_letter(c) ? static_cast<char>(c - 32) : c; });
    keyword = inner;
    rest = without_leading_blanks(rest.substr(end));
  }
  if (keyword != "RUN" && keyword != "COPY" && keyword != "ADD") return false;
  return !rest.starts_with('[');  // exec and list forms have none
}

void read_heredocs(const SourceText& source, LineCursor& cursor, LogicalLine& line) {
  if (line.arguments.find("<<") == std::string::npos || !takes_heredocs(line)) return;
  line.heredocs = heredocs_of(line.arguments);
  for (Heredoc& heredoc : line.heredocs) {
    bool terminated = false;
    std::string_view text;
    while (cursor.next(text)) {
      std::string_view candidate = text;
      if (heredoc.chomp)
        candidate.remove_prefix(std::min(candidate.find_first_not_of('\t'), candidate.size()));
      if (candidate == heredoc.name) {
        terminated = true;
        break;
      }
      heredoc.content.append(text).push_back('\n');
    }
    line.lines.last = cursor.number();
    if (!terminated)
      throw source.error(Errc::invalid_content, {line.lines.first, line.lines.first},
                         cat("heredoc ", quoted(heredoc.name), " has no line that ends it"));
  }
}

/// Keeps the comments that stand directly above the next instruction; an empty one ends them.
void note_comment(std::string_view line, std::vector<std::string>& comments) {
  const std::string_view text = trimmed(without_leading_blanks(line).substr(1));
  if (text.empty()) {
    comments.clear();
  } else {
    comments.emplace_back(text);
  }
}

LogicalLine keyword_and_arguments(std::string_view text, const LineRange& lines) {
  text = trimmed(text);
  const std::size_t end = std::min(text.find_first_of(" \t\v\f"), text.size());
  LogicalLine out{.keyword = std::string(text.substr(0, end)),
                  .arguments = std::string(trimmed(text.substr(end))),
                  .lines = lines};
  out.written = out.keyword;
  for (char& c : out.keyword) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  }
  return out;
}

}  // namespace

std::string Heredoc::file_name() const {
  if (name == "." || name == ".." || name.find('/') != std::string::npos)
    throw Error(Errc::invalid_content, cat("heredoc ", quoted(name), " cannot be a file's name"));
  return name;
}

std::string Heredoc::body() const {
  if (!chomp) return content;
  std::string out;
  bool at_start = true;
  for (const char c : content) {
    if (at_start && c == '\t') continue;
    out += c;
    at_start = c == '\n';
  }
  return out;
}

LexedFile lex(const SourceText& source) {
  if (source.text().size() > kMaxContainerfileBytes)
    throw Error(Errc::limit_exceeded, cat(printable(source.name()), ": the file has more than ",
                                          kMaxContainerfileBytes, " bytes"));
  LexedFile file;
  LineCursor cursor(source);
  std::string_view line;
  bool more = read_directives(source, cursor, file, line);
  std::vector<std::string> comments;
  for (; more; more = cursor.next(line)) {
    if (is_comment(line)) {
      note_comment(line, comments);
      continue;
    }
    std::string_view piece = without_leading_blanks(line);
    if (piece.find('\0') != std::string_view::npos)
      throw source.error(Errc::invalid_content, {cursor.number(), cursor.number()},
                         "the line holds a NUL byte");
    LineRange lines{cursor.number(), cursor.number()};
    bool continued = take_continuation(piece, file.escape);
    if (!continued && trimmed(piece).empty()) {
      comments.clear();
      continue;
    }
    std::string text(piece);
    bool empty_line = false;
    while (continued && cursor.next(line)) {
      if (is_comment(line)) continue;
      if (trimmed(line).empty()) {
        empty_line = true;
        continue;
      }
      piece = line;
      lines.last = cursor.number();
      continued = take_continuation(piece, file.escape);
      text += piece;
    }
    if (trimmed(text).empty()) continue;
    LogicalLine logical = keyword_and_arguments(text, lines);
    logical.comments = std::move(comments);
    comments.clear();
    if (empty_line) logical.empty_continuation = cursor.number();
    read_heredocs(source, cursor, logical);
    file.instructions.push_back(std::move(logical));
  }
  if (file.instructions.empty())
    throw Error(Errc::invalid_content,
                cat(printable(source.name()), ": the file has no instructions"));
  return file;
}

LogicalLine lex_trigger(std::string_view text, const LineRange& lines) {
  // A stored trigger keeps its heredocs behind the first line.
  const SourceText source("ONBUILD trigger", std::string(text));
  LineCursor cursor(source);
  std::string_view first;
  if (!cursor.next(first)) throw Error(Errc::invalid_content, "ONBUILD: the trigger is empty");
  LogicalLine line = keyword_and_arguments(first, {1, 1});
  read_heredocs(source, cursor, line);
  for (std::string_view rest; cursor.next(rest);) {
    if (!trimmed(rest).empty())
      throw Error(Errc::invalid_content, "ONBUILD: the trigger is more than one instruction");
  }
  line.lines = lines;
  return line;
}

std::optional<Heredoc> heredoc_of_word(std::string_view word) {
  while (!word.empty() && is_digit(word.front())) word.remove_prefix(1);
  if (!word.starts_with("<<")) return std::nullopt;
  word.remove_prefix(2);
  Heredoc out;
  if (word.starts_with('-')) {
    out.chomp = true;
    word.remove_prefix(1);
  }
  word = without_leading_blanks(word);
  if (word.empty() || word.find('<') != std::string_view::npos) return std::nullopt;
  char quote = 0;
  for (std::size_t i = 0; i < word.size(); ++i) {
    const char c = word[i];
    if (quote == 0 && is_blank(c)) return std::nullopt;  // more than one word
    if (quote == 0 && (c == '\'' || c == '"')) {
      quote = c;
      out.expand = false;
    } else if (c == quote) {
      quote = 0;
    } else if (c == '\\' && quote != '\'' && i + 1 < word.size()) {
      out.name += word[++i];
    } else {
      out.name += c;
    }
  }
  if (quote != 0 || out.name.empty()) return std::nullopt;
  return out;
}

std::vector<Heredoc> heredocs_of(std::string_view line) {
  std::vector<Heredoc> out;
  std::string word;
  char quote = 0;
  const auto end_word = [&] {
    if (auto heredoc = heredoc_of_word(word)) out.push_back(std::move(*heredoc));
    word.clear();
  };
  for (std::size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (quote == 0 && (is_blank(c) || c == '\n')) {
      end_word();
      continue;
    }
    if (c == '\\' && quote != '\'' && i + 1 < line.size()) {
      word += c;
      word += line[++i];
      continue;
    }
    if (quote == 0 && (c == '\'' || c == '"')) {
      quote = c;
    } else if (c == quote) {
      quote = 0;
    }
    word += c;
  }
  if (quote != 0) return {};  // not a line that the shell would read either: nothing is guessed
  end_word();
  return out;
}

}  // namespace lade::build
