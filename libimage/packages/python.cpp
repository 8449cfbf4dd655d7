#include <algorithm>

#include "libimage/base/text.h"
#include "libimage/packages/databases.h"
#include "libimage/packages/record_text.h"

namespace lade::packages {
namespace {

/// The name as PyPI knows it: lower case, runs of "-", "_" and "." are one "-" (PEP 503).
std::string normalised(std::string_view name) {
  std::string out;
  for (const char c : lower_case(name)) {
    const bool dash = c == '-' || c == '_' || c == '.';
    if (!dash) out += c;
    if (dash && !out.ends_with('-')) out += '-';
  }
  return out;
}

}  // namespace

std::optional<Package> parse_python_metadata(std::string_view text) {
  Package package{.type = "pypi"};
  bool body = false;  // the description follows the first empty line
  for_each_field(
      text, ':',
      [&](std::string_view name, std::string_view value) {
        if (body) return;
        const std::string field = lower_case(name);
        if (field == "name") package.name = field_text(normalised(value));
        if (field == "version") package.version = field_text(value);
        if (field == "license" && value != "UNKNOWN") package.license = field_text(value);
        if (field == "license-expression") package.license = field_text(value);
        if (field == "author" && value != "UNKNOWN") package.supplier = field_text(value);
        if (field == "home-page" && value != "UNKNOWN") package.homepage = field_text(value);
      },
      [&] { body = true; });
  if (package.name.empty()) return std::nullopt;
  return package;
}

}  // namespace lade::packages
