/// Trees for terminals.
#pragma once
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace lade::image {

enum class Style { plain, strong, faint, warning };

struct Span {
  std::string text;
  Style style = Style::plain;
};
using Line = std::vector<Span>;

/// A branch of the printed tree.
struct Branch {
  Line head;
  std::vector<Line> details = {};
  std::vector<Branch> children = {};
};

struct TreeStyle {
  std::size_t width = 0;  ///< columns; longer lines are cut with an ellipsis; 0: never
  bool colour = false;
  bool ascii = false;
};

/// Appends the tree to `out`.
void append_tree(std::string& out, const Branch& root, const TreeStyle& style);
void append_line(std::string& out, const Line& line, const TreeStyle& style);

/// Text of a document on one line, harmless to a terminal.
std::string shown(std::string_view text);

/// Columns that `text` takes, if each character takes one.
std::size_t code_points(std::string_view text);
/// The first `count` characters of `text`.
std::string_view first_characters(std::string_view text, std::size_t count);

}  // namespace lade::image
