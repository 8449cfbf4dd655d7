#include "libimage/config/registry_places.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "libimage/base/error.h"
#include "libimage/base/text.h"

namespace lade {
namespace {

using Rule = RegistriesConf::Rule;

/// As users spell it whole: what prefixes are compared with.
std::string full_name(Reference reference) {
  if (!reference.tag && !reference.digest) reference.tag = Tag{"latest"};
  return reference.str();
}

std::string blocked_by(const Rule* rule) {
  if (rule == nullptr || !rule->blocked) return {};
  return cat("registry ", printable(rule->prefix), " is blocked in ", printable(rule->file));
}

bool is_insecure(const Rule* rule) { return rule != nullptr && rule->insecure; }

/// The reference with `location` in place of the rule's prefix.
Reference moved(const Rule& rule, const std::string& location, const Reference& reference) {
  if (location.empty()) return reference;
  const std::string name = full_name(reference);
  const std::size_t covered = covered_by(rule.prefix, name).value_or(name.size());
  const std::string text = cat(location, std::string_view(name).substr(covered));
  const auto parsed = Reference::try_parse(text);
  const std::string_view host = std::string_view(text).substr(0, text.find('/'));
  if (!parsed || parsed->registry != host) {
    throw Error(Errc::invalid_content,
                cat(printable(rule.file), ": location ", quoted(location), " makes ", quoted(text),
                    " of ", quoted(name), ", which is no name of an image"));
  }
  if (parsed->target() != reference.target()) {
    throw Error(Errc::unsupported, cat(printable(rule.file), ": location ", quoted(location),
                                       " would change the tag of ", quoted(name)));
  }
  return *parsed;
}

RegistryPlace mirror_place(const RegistriesConf& conf, const Rule& rule,
                           const RegistriesConf::Mirror& mirror, const Reference& reference) {
  const Reference there = moved(rule, mirror.location, reference);
  const Rule* its_own = conf.rule_for(full_name(there));
  return {.registry = there.registry,
          .repository = there.repository,
          .insecure = mirror.insecure || is_insecure(its_own),
          .serves = mirror.serves,
          .blocked_by = blocked_by(its_own)};
}

bool is_short(std::string_view name) {
  const std::size_t slash = name.find('/');
  if (slash == std::string_view::npos) return true;
  const std::string_view first = name.substr(0, slash);
  return first != "localhost" && first.find_first_of(".:") == std::string_view::npos;
}

/// Where the tag or digest of a short name begins.
std::size_t end_of_repository(std::string_view name) {
  return std::min(name.find_first_of(":@"), name.size());
}

}  // namespace

RegistryPlaces find_places(const RegistriesConf& conf, const Reference& reference) {
  const bool registry_only = reference.repository.empty();
  const Rule* rule = conf.rule_for(registry_only ? reference.registry : full_name(reference));
  RegistryPlaces places{
      .location = {.registry = reference.registry, .repository = reference.repository}};
  if (rule == nullptr) return places;
  places.location.insecure = rule->insecure;
  places.location.blocked_by = blocked_by(rule);
  if (registry_only) return places;
  const Reference there = moved(*rule, rule->location, reference);
  places.location.registry = there.registry;
  places.location.repository = there.repository;
  const Rule* its_own = conf.rule_for(full_name(there));
  if (is_insecure(its_own)) places.location.insecure = true;
  if (places.location.blocked_by.empty()) places.location.blocked_by = blocked_by(its_own);
  for (const RegistriesConf::Mirror& mirror : rule->mirrors) {
    places.mirrors.push_back(mirror_place(conf, *rule, mirror, reference));
  }
  return places;
}

std::vector<std::string> expand_short_name(const RegistriesConf& conf, const std::string& name) {
  if (!is_short(name)) return {name};
  const std::size_t end = end_of_repository(name);
  const auto alias = conf.aliases.find(std::string_view(name).substr(0, end));
  if (alias != conf.aliases.end() && !alias->second.name.empty()) {
    return {cat(alias->second.name, std::string_view(name).substr(end))};
  }
  if (!conf.search_registries || conf.search_registries->empty()) return {name};
  if (conf.short_names == RegistriesConf::ShortNames::enforcing &&
      conf.search_registries->size() > 1) {
    throw Error(Errc::invalid_argument,
                cat("short name ", quoted(name), ": ", conf.search_file,
                    " demands a choice between ", conf.search_registries->size(),
                    " registries (short-name-mode enforcing): use the full name"));
  }
  std::vector<std::string> names;
  for (const std::string& registry : *conf.search_registries) {
    names.push_back(cat(registry, "/", name));
  }
  return names;
}

}  // namespace lade
