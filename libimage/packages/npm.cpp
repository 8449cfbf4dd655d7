#include <nlohmann/json.hpp>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/packages/databases.h"
#include "libimage/packages/record_text.h"

namespace lade::packages {
namespace {

using nlohmann::json;

json parse(std::string_view text) {
  constexpr int kMaxDepth = 64;  // a version 1 lock nests what it installs; else some 4 levels
  bool deep = false;
  const auto limit = [&](int depth, json::parse_event_t, json&) {
    deep = deep || depth > kMaxDepth;
    return !deep;
  };
  json document = json::parse(text, limit, /*allow_exceptions=*/false);
  if (deep || !document.is_object()) throw Error(Errc::invalid_content, "not a JSON object");
  return document;
}

std::string text_of(const json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_string()
             ? field_text(found->get_ref<const std::string&>())
             : std::string();
}

/// Texts that may also be an object with the text in a member ("license": {"type": "MIT"}).
std::string text_or_member(const json& object, const char* name, const char* member) {
  const auto found = object.find(name);
  if (found != object.end() && found->is_object()) return text_of(*found, member);
  return text_of(object, name);
}

Package named(std::string name, std::string version) {
  Package package{.type = "npm", .version = std::move(version)};
  const std::size_t slash = name.find('/');
  if (name.starts_with('@') && slash != std::string::npos) {
    package.space = name.substr(0, slash);
    package.name = name.substr(slash + 1);
  } else {
    package.name = std::move(name);
  }
  return package;
}

void add(std::vector<Package>& to, Package package) {
  if (to.size() == kMaxPackages)
    throw Error(Errc::limit_exceeded, cat("more than ", kMaxPackages, " packages"));
  to.push_back(std::move(package));
}

/// Version 1: "dependencies" by name, each with its own inside.
void add_dependencies(std::vector<Package>& to, const json& object) {
  const auto dependencies = object.find("dependencies");
  if (dependencies == object.end() || !dependencies->is_object()) return;
  for (const auto& [name, entry] : dependencies->items()) {
    if (!entry.is_object()) continue;
    std::string version = text_of(entry, "version");
    if (!field_text(name).empty() && !version.empty()) add(to, named(name, std::move(version)));
    add_dependencies(to, entry);
  }
}

}  // namespace

std::optional<Package> parse_package_json(std::string_view text) {
  const json document = parse(text);
  std::string name = text_of(document, "name");
  std::string version = text_of(document, "version");
  if (name.empty() || version.empty()) return std::nullopt;
  Package package = named(std::move(name), std::move(version));
  package.license = text_or_member(document, "license", "type");
  package.supplier = text_or_member(document, "author", "name");
  package.homepage = text_of(document, "homepage");
  return package;
}

std::vector<Package> parse_package_lock(std::string_view text) {
  const json document = parse(text);
  std::vector<Package> found;
  const auto packages = document.find("packages");
  if (packages == document.end() || !packages->is_object()) {
    add_dependencies(found, document);
    return found;
  }
  constexpr std::string_view kModules = "node_modules/";
  for (const auto& [path, entry] : packages->items()) {
    const std::size_t at = path.rfind(kModules);
    if (at == std::string::npos || !entry.is_object()) continue;  // the project itself
    std::string name = text_of(entry, "name");                    // of an alias: what it really is
    if (name.empty()) name = field_text(path.substr(at + kModules.size()));
    std::string version = text_of(entry, "version");
    if (name.empty() || version.empty()) continue;  // a link into the project
    Package package = named(std::move(name), std::move(version));
    package.license = text_of(entry, "license");
    add(found, std::move(package));
  }
  return found;
}

}  // namespace lade::packages
