#include "libimage/image/tree_text.h"

#include <algorithm>

#include "libimage/base/text.h"

namespace lade::image {

std::size_t code_points(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

std::string_view first_characters(std::string_view text, std::size_t count) {
  std::size_t at = 0;
  while (at < text.size() && count > 0) {
    ++at;
    while (at < text.size() && (text[at] & 0xC0) == 0x80) ++at;
    --count;
  }
  return text.substr(0, at);
}

namespace {

class Printer {
 public:
  explicit Printer(const TreeStyle& options) : options_(options) {}

  void print(const Branch& root) {
    line({}, root.head);
    below(root, {});
  }
  void line(std::string_view prefix, const Line& spans) {
    std::size_t left = options_.width == 0 ? std::string::npos : options_.width;
    std::size_t needed = code_points(prefix);
    for (const Span& span : spans) needed += code_points(span.text);
    const bool cut = needed > left;
    if (cut) left -= 1;  // for the ellipsis
    append(prefix, Style::faint, left);
    for (const Span& span : spans) append(span.text, span.style, left);
    if (cut) out_ += options_.ascii ? "~" : "…";
    while (out_.ends_with(' ')) out_.pop_back();
    out_ += '\n';
  }
  std::string take() { return std::move(out_); }

 private:
  void below(const Branch& branch, const std::string& prefix) {
    const std::string_view bar = options_.ascii ? "|  " : "│  ";
    for (const Line& detail : branch.details) {
      line(cat(prefix, branch.children.empty() ? std::string_view("   ") : bar), detail);
    }
    for (const Branch& child : branch.children) {
      const bool last = &child == &branch.children.back();
      const std::string_view tee = options_.ascii ? "|- " : "├─ ";
      const std::string_view corner = options_.ascii ? "`- " : "└─ ";
      line(cat(prefix, last ? corner : tee), child.head);
      below(child, cat(prefix, last ? std::string_view("   ") : bar));
    }
  }
  void append(std::string_view text, Style style, std::size_t& left) {
    const std::string_view shown = left == std::string::npos ? text : first_characters(text, left);
    if (left != std::string::npos) left -= code_points(shown);
    if (shown.empty()) return;
    const std::string_view code = !options_.colour          ? ""
                                  : style == Style::strong  ? "\x1b[1m"
                                  : style == Style::faint   ? "\x1b[2m"
                                  : style == Style::warning ? "\x1b[33m"
                                                            : "";
    out_ += code;
    out_ += shown;
    if (!code.empty()) out_ += "\x1b[0m";
  }

  const TreeStyle& options_;
  std::string out_;
};

}  // namespace

void append_tree(std::string& out, const Branch& root, const TreeStyle& style) {
  Printer printer(style);
  printer.print(root);
  out += printer.take();
}

void append_line(std::string& out, const Line& line, const TreeStyle& style) {
  Printer printer(style);
  printer.line({}, line);
  out += printer.take();
}

std::string shown(std::string_view text) {
  std::string line;
  for (const char c : text) {
    const bool blank = c == ' ' || c == '\t' || c == '\n' || c == '\r';
    if (!blank) {
      line += c;
    } else if (!line.empty() && line.back() != ' ') {
      line += ' ';
    }
  }
  return printable(trimmed(line));
}

}  // namespace lade::image
