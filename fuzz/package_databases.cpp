// Package databases: the first byte picks the format; refused with an Error, or packages with URLs.
#include <cstdint>
#include <optional>
#include <vector>

#include "libimage/packages/databases.h"
#include "libimage/packages/spdx.h"

#include "fuzz/property.h"

using lade::fuzz::require;
using namespace lade::packages;

namespace {

std::vector<Package> one(std::optional<Package> package) {
  std::vector<Package> out;
  if (package) out.push_back(*std::move(package));
  return out;
}

std::vector<Package> packages_of(char format, std::string_view text) {
  TextFile file(text);
  switch (format) {
    case 'd':
      return parse_dpkg_status(text);
    case 'a':
      return parse_apk_installed(text);
    case 'h':
      return one(parse_rpm_header(text));
    case 'r':
      return read_rpm_database(file);
    case 'j':
      return one(parse_package_json(text));
    case 'l':
      return parse_package_lock(text);
    case 'p':
      return one(parse_python_metadata(text));
    case 'g':
      return read_go_binary(file);
    default:
      return {};
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = lade::fuzz::text_of(data, size);
  if (text.empty()) return 0;
  try {
    const std::string_view rest = text.substr(1);
    if (text.front() == 'o') (void)parse_os_release(rest);
    const std::vector<Package> found = packages_of(text.front(), rest);
    for (const Package& package : found) {
      require(!package.name.empty());
      require(package.url().starts_with("pkg:"));
    }
    if (found.size() < 100) require(!spdx_document({.packages = found}, {}).empty());
  } catch (const lade::Error&) {  // refused
    return 0;
  }
  return 0;
}
