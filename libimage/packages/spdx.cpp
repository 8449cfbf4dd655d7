#include "libimage/packages/spdx.h"

#include <algorithm>
#include <array>

#include <nlohmann/json.hpp>

#include "libimage/base/text.h"
#include "libimage/digest/hasher.h"

namespace lade::packages {
namespace {

using nlohmann::ordered_json;

constexpr const char* kRoot = "SPDXRef-DocumentRoot";

/// Identifiers of the SPDX license list that package databases use most.
constexpr std::array<std::string_view, 45> kLicenses = {"0BSD",
                                                        "AGPL-3.0-only",
                                                        "AGPL-3.0-or-later",
                                                        "Apache-2.0",
                                                        "Artistic-1.0-Perl",
                                                        "Artistic-2.0",
                                                        "BSD-2-Clause",
                                                        "BSD-2-Clause-Patent",
                                                        "BSD-3-Clause",
                                                        "BSD-4-Clause",
                                                        "BSL-1.0",
                                                        "BlueOak-1.0.0",
                                                        "CC-BY-3.0",
                                                        "CC-BY-4.0",
                                                        "CC0-1.0",
                                                        "GFDL-1.3-or-later",
                                                        "GPL-2.0-only",
                                                        "GPL-2.0-or-later",
                                                        "GPL-3.0-only",
                                                        "GPL-3.0-or-later",
                                                        "HPND",
                                                        "ICU",
                                                        "ISC",
                                                        "LGPL-2.0-only",
                                                        "LGPL-2.0-or-later",
                                                        "LGPL-2.1-only",
                                                        "LGPL-2.1-or-later",
                                                        "LGPL-3.0-only",
                                                        "LGPL-3.0-or-later",
                                                        "MIT",
                                                        "MIT-0",
                                                        "MPL-1.1",
                                                        "MPL-2.0",
                                                        "OFL-1.1",
                                                        "OLDAP-2.8",
                                                        "OpenSSL",
                                                        "PSF-2.0",
                                                        "Python-2.0",
                                                        "SMLNJ",
                                                        "Unicode-3.0",
                                                        "Unlicense",
                                                        "W3C",
                                                        "WTFPL",
                                                        "X11",
                                                        "Zlib"};

/// True if `text` is an expression of known identifiers (SPDX 2.3, annex D), without exceptions.
bool is_expression(std::string_view text) {
  bool wants_license = true;
  std::size_t depth = 0;
  while (!(text = trimmed(text)).empty()) {
    const char c = text.front();
    if (c == '(' || c == ')') {
      if (wants_license != (c == '(') || (c == ')' && depth == 0)) return false;
      if (c == '(') ++depth;
      if (c == ')') --depth;
      text.remove_prefix(1);
      continue;
    }
    const std::size_t end = std::min(text.find_first_of(" ()"), text.size());
    const std::string_view word = text.substr(0, end);
    text.remove_prefix(end);
    const bool license = std::find(kLicenses.begin(), kLicenses.end(), word) != kLicenses.end();
    if (wants_license ? !license : word != "AND" && word != "OR") return false;
    wants_license = !wants_license;
  }
  return !wants_license && depth == 0;
}

/// "Name <mail>" as SPDX writes persons: "Name (mail)".
std::string person(const std::string& text) {
  const std::size_t open = text.find('<');
  const std::size_t close = text.find('>');
  if (open == std::string::npos || close == std::string::npos || close < open) return text;
  return cat(trimmed(std::string_view(text).substr(0, open)), " (",
             text.substr(open + 1, close - open - 1), ")");
}

/// Letters, digits, "." and "-" only.
std::string spdx_id(const Package& package) {
  std::string name;
  for (const char c : package.name) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    name += plain || c == '.' ? c : '-';
  }
  const std::string url_digest = sha256_of(package.url()).str();
  const std::string hash = url_digest.substr(url_digest.find(':') + 1, 16);
  return cat("SPDXRef-Package-", package.type, "-", name, "-", hash);
}

ordered_json entry_of(const Package& package) {
  const bool expression = is_expression(package.license);
  const char* kind = package.type == "rpm" ? "Organization: " : "Person: ";
  ordered_json entry = {
      {"name", package.space.starts_with('@') || package.type == "golang"
                   ? (package.space.empty() ? package.name : cat(package.space, "/", package.name))
                   : package.name},
      {"SPDXID", spdx_id(package)}};
  if (!package.version.empty()) entry["versionInfo"] = package.version;
  entry["supplier"] =
      package.supplier.empty() ? "NOASSERTION" : cat(kind, person(package.supplier));
  entry["downloadLocation"] = "NOASSERTION";
  entry["filesAnalyzed"] = false;
  if (!package.homepage.empty()) entry["homepage"] = package.homepage;
  entry["sourceInfo"] = cat("found in ", package.found_in);
  entry["licenseConcluded"] = "NOASSERTION";
  entry["licenseDeclared"] = expression ? package.license : "NOASSERTION";
  if (!expression && !package.license.empty())
    entry["licenseComments"] = cat("declared as: ", package.license);
  entry["copyrightText"] = "NOASSERTION";
  entry["externalRefs"] = ordered_json::array({{{"referenceCategory", "PACKAGE-MANAGER"},
                                                {"referenceType", "purl"},
                                                {"referenceLocator", package.url()}}});
  return entry;
}

ordered_json relation(const std::string& from, const char* kind, const std::string& to) {
  return {{"spdxElementId", from}, {"relationshipType", kind}, {"relatedSpdxElement", to}};
}

std::string text_of(const ordered_json& value) {
  return value.dump(2, ' ', false, ordered_json::error_handler_t::replace);
}

}  // namespace

std::string spdx_document(const Inventory& inventory, const SpdxOptions& options) {
  ordered_json packages = ordered_json::array();
  ordered_json relations = ordered_json::array();
  ordered_json root = {{"name", options.name}, {"SPDXID", kRoot}};
  if (!options.version.empty()) root["versionInfo"] = options.version;
  root["downloadLocation"] = "NOASSERTION";
  root["filesAnalyzed"] = false;
  root["licenseConcluded"] = "NOASSERTION";
  root["licenseDeclared"] = "NOASSERTION";
  root["copyrightText"] = "NOASSERTION";
  root["primaryPackagePurpose"] = "CONTAINER";
  packages.push_back(std::move(root));
  relations.push_back(relation("SPDXRef-DOCUMENT", "DESCRIBES", kRoot));
  if (!inventory.distribution.id.empty()) {
    packages.push_back({{"name", inventory.distribution.id},
                        {"SPDXID", "SPDXRef-OperatingSystem"},
                        {"versionInfo", inventory.distribution.version},
                        {"downloadLocation", "NOASSERTION"},
                        {"filesAnalyzed", false},
                        {"licenseConcluded", "NOASSERTION"},
                        {"licenseDeclared", "NOASSERTION"},
                        {"copyrightText", "NOASSERTION"},
                        {"description", inventory.distribution.name},
                        {"primaryPackagePurpose", "OPERATING-SYSTEM"}});
    relations.push_back(relation(kRoot, "CONTAINS", "SPDXRef-OperatingSystem"));
  }
  for (const Package& package : inventory.packages) {
    packages.push_back(entry_of(package));
    relations.push_back(relation(kRoot, "CONTAINS", spdx_id(package)));
  }
  ordered_json document = {{"spdxVersion", "SPDX-2.3"},
                           {"dataLicense", "CC0-1.0"},
                           {"SPDXID", "SPDXRef-DOCUMENT"},
                           {"name", options.name},
                           {"documentNamespace", ""},
                           {"creationInfo",
                            {{"creators", ordered_json::array({cat("Tool: ", options.tool)})},
                             {"created", options.created}}}};
  if (!inventory.remarks.empty()) {
    std::string comment;
    for (const std::string& remark : inventory.remarks)
      comment += cat(comment.empty() ? "" : "\n", remark);
    document["comment"] = comment;
  }
  document["packages"] = std::move(packages);
  document["relationships"] = std::move(relations);
  document["documentNamespace"] =
      cat("https://spdx.org/spdxdocs/lade-", sha256_of(text_of(document)).encoded());
  return text_of(document);
}

}  // namespace lade::packages
