/// --format of the verbs that show values: text, json, yaml or a template.
#pragma once
#include <optional>
#include <string>
#include <string_view>

#include "libimage/template/format.h"

#include "tools/common/options.h"

namespace lade::tools {

inline constexpr std::string_view kFormatHelp =
    "text, json, yaml, or a template as docker and podman take it: '{{.digest}}'";

/// The words of --format; throws UsageError for a word that is none of them and no template.
std::string checked_format(const Arguments& arguments);

/// `json` in the machine-readable `format`.
std::string formatted(std::string_view json, const std::string& format);

/// The same for a list of rows: a template is applied to each of them.
std::string formatted_rows(std::string_view json, const std::string& format);

}  // namespace lade::tools
