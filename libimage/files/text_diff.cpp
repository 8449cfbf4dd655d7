// Unified diffs (POSIX diff -u) of two texts in memory.
#include <algorithm>

#include "libimage/base/text.h"
#include "libimage/files/compare.h"

namespace lade::files {
namespace {

constexpr std::size_t kAround = 3;                        // lines of context
constexpr std::size_t kMaxCells = std::size_t{1} << 22U;  // of the table of common lines

/// Lines with their ends.
std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> out;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size() - 1) + 1;
    out.push_back(text.substr(0, end));
    text.remove_prefix(end);
  }
  return out;
}

struct Line {
  char sign = ' ';
  std::string_view text;
};

/// The middle of two texts, whose first and last lines differ, line by line.
void add_middle(const std::vector<std::string_view>& a, const std::vector<std::string_view>& b,
                std::size_t first, std::size_t a_end, std::size_t b_end, std::vector<Line>& out) {
  const std::size_t rows = a_end - first;
  const std::size_t columns = b_end - first;
  std::vector<std::uint32_t> common;  // longest common rest of a from i and b from j
  const bool fits = rows == 0 || columns + 1 <= kMaxCells / (rows + 1);
  if (fits) {
    common.assign((rows + 1) * (columns + 1), 0);
    for (std::size_t i = rows; i-- > 0;) {
      for (std::size_t j = columns; j-- > 0;) {
        common[i * (columns + 1) + j] =
            a[first + i] == b[first + j]
                ? common[(i + 1) * (columns + 1) + j + 1] + 1
                : std::max(common[(i + 1) * (columns + 1) + j], common[i * (columns + 1) + j + 1]);
      }
    }
  }
  std::size_t i = 0;
  std::size_t j = 0;
  while (i < rows || j < columns) {
    if (fits && i < rows && j < columns && a[first + i] == b[first + j]) {
      out.push_back({' ', a[first + i]});
      ++i;
      ++j;
    } else if (i < rows &&
               (j == columns || !fits ||
                common[(i + 1) * (columns + 1) + j] >= common[i * (columns + 1) + j + 1])) {
      out.push_back({'-', a[first + i++]});
    } else {
      out.push_back({'+', b[first + j++]});
    }
  }
}

std::string range_text(std::size_t start, std::size_t count) {
  if (count == 1) return cat(start);
  return cat(count == 0 ? start - 1 : start, ",", count);
}

std::string hunks_of(const std::vector<Line>& lines) {
  std::string out;
  std::size_t a_line = 1;
  std::size_t b_line = 1;
  const auto changed = [&](std::size_t i) { return lines[i].sign != ' '; };
  for (std::size_t i = 0; i < lines.size();) {
    std::size_t next = i;
    while (next < lines.size() && !changed(next)) ++next;
    if (next == lines.size()) break;
    const std::size_t begin = std::max(i, next - std::min(next, kAround));
    a_line += begin - i;
    b_line += begin - i;
    std::size_t last = next;
    for (std::size_t k = next; k < lines.size() && k <= last + 2 * kAround; ++k) {
      if (changed(k)) last = k;
    }
    const std::size_t end = std::min(lines.size(), last + kAround + 1);
    std::size_t a_count = 0;
    std::size_t b_count = 0;
    std::string body;
    for (std::size_t k = begin; k < end; ++k) {
      if (lines[k].sign != '+') ++a_count;
      if (lines[k].sign != '-') ++b_count;
      body += cat(lines[k].sign, lines[k].text);
      if (!lines[k].text.ends_with('\n')) body += "\n\\ No newline at end of file\n";
    }
    out +=
        cat("@@ -", range_text(a_line, a_count), " +", range_text(b_line, b_count), " @@\n", body);
    a_line += a_count;
    b_line += b_count;
    i = end;
  }
  return out;
}

}  // namespace

std::string unified_diff(std::string_view before, std::string_view after) {
  const std::vector<std::string_view> a = lines_of(before);
  const std::vector<std::string_view> b = lines_of(after);
  std::size_t first = 0;
  while (first < std::min(a.size(), b.size()) && a[first] == b[first]) ++first;
  std::size_t same_end = 0;
  while (same_end < std::min(a.size(), b.size()) - first &&
         a[a.size() - 1 - same_end] == b[b.size() - 1 - same_end]) {
    ++same_end;
  }
  std::vector<Line> lines;
  for (std::size_t i = 0; i < first; ++i) lines.push_back({' ', a[i]});
  add_middle(a, b, first, a.size() - same_end, b.size() - same_end, lines);
  for (std::size_t i = a.size() - same_end; i < a.size(); ++i) lines.push_back({' ', a[i]});
  return hunks_of(lines);
}

bool is_text(std::string_view text) noexcept {
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20U && c != '\t' && c != '\n' && c != '\r' && c != '\f') return false;
  }
  return is_utf8(text);
}

}  // namespace lade::files
