#include "tools/common/progress_lines.h"

#include <algorithm>

#include "libimage/base/text.h"
#include "libimage/oci/json_text.h"

namespace lade::tools {
namespace {

using Kind = ProgressEvent::Kind;

std::string_view name_of(Kind kind) {
  switch (kind) {
    case Kind::started:
      return "started";
    case Kind::advanced:
      return "advanced";
    case Kind::finished:
      return "finished";
    case Kind::failed:
      return "failed";
    case Kind::output:
      return "output";
    case Kind::warning:
      return "warning";
    case Kind::summary:
      return "summary";
  }
  return "";
}

}  // namespace

std::string coloured(const std::string& text, std::string_view number, Colours colours) {
  if (colours == Colours::none || number.empty()) return text;
  return cat("\x1b[", number, "m", text, "\x1b[0m");
}

std::string with_coloured_bar(const std::string& line, Colours colours) {
  const std::size_t start = line.find("[#");
  if (start == std::string::npos) return line;
  const std::size_t end = line.find_first_not_of('#', start + 1);
  if (end == std::string::npos) return line;
  return cat(line.substr(0, start + 1),
             coloured(line.substr(start + 1, end - start - 1), "36", colours), line.substr(end));
}

std::string LinePrefix::prefixed(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    begun_ += text.substr(0, end);
    if (end == std::string_view::npos) break;
    out += cat(prefix_, begun_, "\n");
    begun_.clear();
    text.remove_prefix(end + 1);
  }
  if (begun_.size() > kMaxBegun) out += rest();
  return out;
}

std::string LinePrefix::rest() {
  if (begun_.empty()) return {};
  std::string out = cat(prefix_, begun_, "\n");
  begun_.clear();
  return out;
}

std::string erased(const std::vector<std::string>& lines, std::size_t columns) {
  std::size_t rows = 0;
  for (const std::string& line : lines) {
    const auto taken = static_cast<std::size_t>(
        std::count_if(line.begin(), line.end(), [](char c) { return (c & '\xC0') != '\x80'; }));
    rows += std::max<std::size_t>(1, (taken + columns - 1) / std::max<std::size_t>(columns, 1));
  }
  return rows == 0 ? std::string() : cat("\r\x1b[", rows, "A\x1b[J");
}

std::string json_line(const ProgressEvent& event, double seconds) {
  const auto milliseconds = static_cast<std::uint64_t>(seconds * 1000);
  const std::string thousandths = cat(milliseconds % 1000);
  // The summary of an item says why it was done or not, as JSON (build's --explain).
  const bool explanation =
      event.kind == Kind::summary && !event.item.empty() && event.note.starts_with('{');
  std::string line =
      cat("{\"event\":", oci::json_string(explanation ? "explanation" : name_of(event.kind)),
          ",\"seconds\":", milliseconds / 1000, ".", std::string(3 - thousandths.size(), '0'),
          thousandths);
  if (!event.item.empty()) line += cat(",\"item\":", oci::json_string(event.item));
  if (!event.label.empty()) line += cat(",\"label\":", oci::json_string(event.label));
  if (event.kind == Kind::summary && !explanation) {
    line += cat(",\"done\":", event.done);
  } else if (event.total != 0) {
    line += cat(",\"done\":", event.done, ",\"total\":", event.total);
  }
  if (explanation) {
    line += cat(",\"explanation\":", event.note);
  } else if (!event.note.empty()) {
    line += cat(",\"note\":", oci::json_string(event.note));
  }
  return line + "}\n";
}

}  // namespace lade::tools
