#include "tools/inspect/overview_format.h"

#include "libimage/base/text.h"
#include "libimage/oci/json_text.h"

namespace lade::tools {

std::string checked_format(const Arguments& arguments) {
  std::string format = arguments.value_or("format", "text");
  const bool known = format == "text" || format == "json" || format == "yaml";
  if (!known && format.find("{{") == std::string::npos) {
    throw UsageError(
        cat("--format is text, json, yaml or a template with {{...}}, not ", quoted(format)));
  }
  return format;
}

std::string formatted(std::string_view json, const std::string& format) {
  if (format == "json" || templates::is_json_format(format)) {
    return cat(oci::pretty_json(json), "\n");
  }
  if (format == "yaml") return oci::yaml_text(json);
  std::string out;
  templates::render_format(format, {templates::from_json(json)}, {}, out);
  return out;
}

std::string formatted_rows(std::string_view json, const std::string& format) {
  if (format == "json" || format == "yaml") return formatted(json, format);
  std::string out;
  const templates::Value rows = templates::from_json(json);
  templates::render_format(format, rows.list()->items, {}, out);
  return out;
}

}  // namespace lade::tools
