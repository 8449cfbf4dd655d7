#include "libimage/build/source_text.h"

#include <algorithm>

#include "libimage/base/text.h"

namespace lade::build {
namespace {

constexpr std::size_t kMaxShownLines = 6;    // of the item itself: the rest is in the user's editor
constexpr std::size_t kMaxShownBytes = 160;  // of one line

}  // namespace

std::string hide_credentials(std::string_view text) {
  constexpr std::string_view kScheme = "://";
  std::string out;
  for (std::size_t found = text.find(kScheme); found != std::string_view::npos;
       found = text.find(kScheme)) {
    out += text.substr(0, found + kScheme.size());
    text.remove_prefix(found + kScheme.size());
    const std::string_view authority = text.substr(0, text.find_first_of("/?#\\\"'<> \t\r\n"));
    if (const std::size_t at = authority.rfind('@'); at != std::string_view::npos)
      text.remove_prefix(at + 1);
  }
  return out += text;
}

SourceText::SourceText(std::string name, std::string text)
    : name_(hide_credentials(name)), text_(std::move(text)) {
  for (std::size_t end = text_.find('\n'); end != std::string::npos;
       end = text_.find('\n', end + 1))
    starts_.push_back(end + 1);
}

std::string_view SourceText::line(std::size_t number) const {
  const std::size_t start = starts_[number - 1];
  const std::size_t end = number == starts_.size() ? text_.size() : starts_[number] - 1;
  return std::string_view(text_).substr(start, end - start);
}

std::string SourceText::place(const LineRange& lines) const {
  return cat(printable(name_), ":", lines.first);
}

std::string SourceText::excerpt(const LineRange& lines) const {
  const std::size_t from = lines.first > 1 ? lines.first - 1 : 1;
  const std::size_t shown = std::min(lines.last, lines.first + kMaxShownLines - 1);
  const std::size_t to = std::min(starts_.size(), shown == lines.last ? lines.last + 1 : shown);
  const std::size_t width = std::to_string(to).size();
  std::string out;
  for (std::size_t number = from; number <= to; ++number) {
    std::string_view line = this->line(number);
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (number == starts_.size() && line.empty()) break;  // the file's last newline
    const bool marked = number >= lines.first && number <= lines.last;
    const std::string digits = std::to_string(number);
    if (!out.empty()) out += '\n';
    out += cat(marked ? "> " : "  ", std::string(width - digits.size(), ' '), digits, " | ",
               printable(hide_credentials(line.substr(0, kMaxShownBytes))),
               line.size() > kMaxShownBytes ? "..." : "");
  }
  return out;
}

Error SourceText::error(Errc code, const LineRange& lines, std::string_view message,
                        ErrorDetail detail) const {
  return Error(code, cat(place(lines), ": ", hide_credentials(message), "\n", excerpt(lines)),
               std::move(detail));
}

}  // namespace lade::build
