/// --format as docker, podman and skopeo read it: a template with conveniences around it.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libimage/template/template.h"

namespace lade::templates {

struct FormatOptions {
  std::string name = "format";        ///< what messages call the template
  std::optional<Value> headers = {};  ///< "table": the record of column titles, printed first
  Limits limits = {};
};

/// True if `format` asks for plain JSON: "json", "{{json .}}" and its spellings with blanks.
bool is_json_format(std::string_view format);

/// Appends what `format` makes of each of `rows` to `out`, a line each: \n and \t in it stand for
/// line end and tab; unless it has a {{range .}} it is applied to every row, else to the list of
/// all. After "table " blanks outside actions separate columns, which are aligned. Throws as
/// Template does; what was made before a failure stays in `out`.
void render_format(const std::string& format, const std::vector<Value>& rows,
                   const FormatOptions& options, std::string& out);

struct ColumnStyle {
  std::size_t least = 12;  ///< width of a column
  std::size_t gap = 2;     ///< blanks between columns
};

/// Aligns what tabs separate: each column as wide as its widest cell in neighbouring lines.
std::string align_columns(std::string_view text, const ColumnStyle& style = {});

}  // namespace lade::templates
