#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/packages/databases.h"
#include "libimage/packages/record_text.h"

namespace lade::packages {

std::vector<Package> parse_apk_installed(std::string_view text) {
  std::vector<Package> found;
  Package package;
  // One letter each; the files of the package (F, R, a, Z...) follow in the same paragraph.
  const auto field = [&](std::string_view name, std::string_view value) {
    if (name == "P") package.name = field_text(value);
    if (name == "V") package.version = field_text(value);
    if (name == "A") package.architecture = field_text(value);
    if (name == "L") package.license = field_text(value);
    if (name == "m") package.supplier = field_text(value);
    if (name == "U") package.homepage = field_text(value);
    if (name == "o") package.source = field_text(value);
  };
  const auto end = [&] {
    if (!package.name.empty()) {
      if (found.size() == kMaxPackages)
        throw Error(Errc::limit_exceeded, cat("more than ", kMaxPackages, " packages"));
      package.type = "apk";
      if (package.source == package.name) package.source.clear();
      found.push_back(std::move(package));
    }
    package = {};
  };
  for_each_field(text, ':', field, end);
  return found;
}

}  // namespace lade::packages
