#include "libimage/base/text.h"
#include "libimage/packages/databases.h"
#include "libimage/packages/record_text.h"

namespace lade::packages {
namespace {

/// A value as the shell would read it, as far as os-release(5) allows quoting.
std::string unquoted(std::string_view value) {
  std::string out;
  if (value.size() >= 2 && (value.front() == '"' || value.front() == '\'') &&
      value.back() == value.front())
    value = value.substr(1, value.size() - 2);
  for (std::size_t i = 0; i < value.size(); ++i) {
    if (value[i] == '\\' && i + 1 < value.size()) ++i;
    out += value[i];
  }
  return out;
}

}  // namespace

Distribution parse_os_release(std::string_view text) {
  Distribution found;
  for_each_field(
      text, '=',
      [&](std::string_view name, std::string_view value) {
        if (name == "ID") found.id = field_text(unquoted(value));
        if (name == "VERSION_ID") found.version = field_text(unquoted(value));
        if (name == "PRETTY_NAME") found.name = field_text(unquoted(value));
      },
      [] {});
  return found;
}

}  // namespace lade::packages
