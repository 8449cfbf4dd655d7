#include "libimage/template/format.h"

#include <algorithm>

#include "libimage/base/error.h"
#include "libimage/base/text.h"

namespace lade::templates {
namespace {

constexpr std::string_view kTable = "table ";

std::string replaced(std::string text, std::string_view from, std::string_view to) {
  for (std::size_t at = text.find(from); at != std::string::npos;
       at = text.find(from, at + to.size())) {
    text.replace(at, from.size(), to);
  }
  return text;
}

/// Blanks between actions are columns; those within actions separate words.
std::string blanks_to_tabs(std::string_view text) {
  std::string out;
  bool inside = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text.substr(i).starts_with("{{")) inside = true;
    if (text.substr(i).starts_with("}}")) inside = false;
    out += text[i] == ' ' && !inside ? '\t' : text[i];
  }
  return out;
}

std::string with_line_end(std::string text) {
  if (!text.ends_with("\n")) text += '\n';
  return text;
}

std::string_view without_blanks(std::string_view text) {
  return text.substr(std::min(text.find_first_not_of(' '), text.size()));
}

/// True if `text` has a {{range .}} of its own.
bool ranges_itself(std::string_view text) {
  for (std::size_t at = text.find("{{"); at != std::string_view::npos;
       at = text.find("{{", at + 2)) {
    std::string_view rest = without_blanks(text.substr(at + 2));
    for (const std::string_view word : {"range", ".", "}}"}) {
      if (!rest.starts_with(word)) break;
      if (word == "}}") return true;
      rest = without_blanks(rest.substr(word.size()));
    }
  }
  return false;
}

std::string in_range(const std::string& text) {
  return ranges_itself(text) ? text : cat("{{range .}}", text, "{{end}}");
}

/// The template; escapes are replaced where it is still one then (in {{printf "\n"}} they are
/// Go's).
Template parse_format(const std::string& name, const std::string& text) {
  const std::string plain = with_line_end(text);
  const std::string unescaped = with_line_end(replaced(replaced(text, "\\n", "\n"), "\\t", "\t"));
  if (plain == unescaped) return Template::parse(name, in_range(plain));
  try {
    return Template::parse(name, in_range(unescaped));
  } catch (const Error&) {
    return Template::parse(name, in_range(plain));
  }
}

Value as_list(const std::vector<Value>& rows) { return Value::of(ValueList{.items = rows}); }

std::size_t width_of(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0U) != 0x80;
  }));
}

using Lines = std::vector<std::vector<std::string_view>>;

/// The width of column `column` in line `line`: of the widest cell that ends with a tab in the
/// block of neighbouring lines that have the column.
std::size_t column_width(const Lines& lines, std::size_t line, std::size_t column,
                         const ColumnStyle& style) {
  const auto has = [&](std::size_t at) { return lines[at].size() > column + 1; };
  std::size_t first = line;
  while (first > 0 && has(first - 1)) --first;
  std::size_t width = 0;
  for (std::size_t at = first; at < lines.size() && has(at); ++at)
    width = std::max(width, width_of(lines[at][column]));
  return std::max(width + style.gap, style.least);
}

}  // namespace

bool is_json_format(std::string_view format) {
  std::string compact;
  for (const char c : format) {
    if (c != ' ' && c != '\t') compact += c;
  }
  return compact == "json" || compact == "{{json.}}";
}

void render_format(const std::string& format, const std::vector<Value>& rows,
                   const FormatOptions& options, std::string& out) {
  const bool table = format.starts_with(kTable);
  const std::string text = table ? blanks_to_tabs(format.substr(kTable.size())) : format;
  const Template parsed = parse_format(options.name, text);
  std::string made;
  const auto flush = [&] { out += table ? align_columns(made) : made; };
  try {
    if (table && options.headers) parsed.execute(as_list({*options.headers}), made, options.limits);
    parsed.execute(as_list(rows), made, options.limits);
  } catch (const Error&) {
    flush();
    throw;
  }
  flush();
}

std::string align_columns(std::string_view text, const ColumnStyle& style) {
  constexpr std::size_t kMostLines = 100'000;  // beyond, nobody reads columns
  Lines lines;
  for (const std::string_view line : split(text, '\n')) lines.push_back(split(line, '\t'));
  if (lines.size() > kMostLines) return std::string(text);
  std::string out;
  std::vector<std::vector<std::size_t>> widths(lines.size());
  for (std::size_t i = 0; i < lines.size(); ++i) {
    for (std::size_t column = 0; column + 1 < lines[i].size(); ++column) {
      // A block's width is found once, at its first line.
      const bool continues = i > 0 && widths[i - 1].size() > column;
      widths[i].push_back(continues ? widths[i - 1][column]
                                    : column_width(lines, i, column, style));
      out += lines[i][column];
      out.append(widths[i][column] - width_of(lines[i][column]), ' ');
    }
    out += lines[i].back();
    if (i + 1 < lines.size()) out += '\n';
  }
  return out;
}

}  // namespace lade::templates
