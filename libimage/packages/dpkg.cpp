#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/packages/databases.h"
#include "libimage/packages/record_text.h"

namespace lade::packages {

std::string field_text(std::string_view text) {
  return text.size() <= kMaxFieldBytes && is_utf8(text) ? std::string(text) : std::string();
}

void for_each_field(std::string_view text, char separator,
                    const std::function<void(std::string_view name, std::string_view value)>& field,
                    const std::function<void()>& end_of_paragraph) {
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
    if (trimmed(line).empty()) {
      end_of_paragraph();
      continue;
    }
    if (line.front() == ' ' || line.front() == '\t') continue;
    const std::size_t colon = line.find(separator);
    if (colon != std::string_view::npos)
      field(line.substr(0, colon), trimmed(line.substr(colon + 1)));
  }
  end_of_paragraph();
}

namespace {

/// "Source: gcc-12 (12.2.0-14)" names the package and, in brackets, its version.
std::string_view source_name(std::string_view value) { return value.substr(0, value.find(' ')); }

}  // namespace

std::vector<Package> parse_dpkg_status(std::string_view text) {
  std::vector<Package> found;
  Package package;
  bool installed = true;  // files of status.d have no Status
  const auto field = [&](std::string_view name, std::string_view value) {
    if (name == "Package") package.name = field_text(value);
    if (name == "Version") package.version = field_text(value);
    if (name == "Architecture") package.architecture = field_text(value);
    if (name == "Maintainer") package.supplier = field_text(value);
    if (name == "Homepage") package.homepage = field_text(value);
    if (name == "Source") package.source = field_text(source_name(value));
    if (name == "Status") installed = value.ends_with(" installed");
  };
  const auto end = [&] {
    if (!package.name.empty() && installed) {
      if (found.size() == kMaxPackages)
        throw Error(Errc::limit_exceeded, cat("more than ", kMaxPackages, " packages"));
      package.type = "deb";
      if (package.source == package.name) package.source.clear();
      found.push_back(std::move(package));
    }
    package = {};
    installed = true;
  };
  for_each_field(text, ':', field, end);
  return found;
}

}  // namespace lade::packages
