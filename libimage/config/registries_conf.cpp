#include "libimage/config/registries_conf.h"

#include <algorithm>
#include <utility>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/config/toml_reader.h"
#include "libimage/name/reference.h"

namespace lade {
namespace {

[[noreturn]] void refuse(const std::string& reason) { throw Error(Errc::invalid_content, reason); }

/// A host with an optional path, without slashes at its end.
std::string place(const TomlTable& table, std::string_view key) {
  std::string text = table.text(key);
  while (text.ends_with('/')) text.pop_back();
  if (text.starts_with("http://") || text.starts_with("https://")) {
    refuse(cat(table.path(key), ": ", quoted(text), ": URI schemes are not supported"));
  }
  return text;
}

void refuse_unsupported(const TomlTable& table) {
  for (const std::string_view key : {"proxy", "namespace-proxy"}) {
    if (table.has(key)) throw Error(Errc::unsupported, cat(table.path(key), " is not supported"));
  }
}

RegistriesConf::PullFrom parse_pull_from(const TomlTable& table) {
  const std::string text = table.text("pull-from-mirror");
  if (text.empty() || text == "all") return RegistriesConf::PullFrom::all;
  if (text == "digest-only") return RegistriesConf::PullFrom::digests;
  if (text == "tag-only") return RegistriesConf::PullFrom::tags;
  refuse(cat(table.path("pull-from-mirror"), ": ", quoted(text),
             " is none of all, digest-only, tag-only"));
}

RegistriesConf::Mirror parse_mirror(const TomlTable& table) {
  refuse_unsupported(table);
  RegistriesConf::Mirror mirror{.location = place(table, "location"),
                                .insecure = table.boolean("insecure"),
                                .serves = parse_pull_from(table)};
  if (mirror.location.empty()) refuse(cat(table.path("location"), ": mirror location is unset"));
  return mirror;
}

void check_prefix(const TomlTable& table, const RegistriesConf::Rule& rule) {
  if (rule.prefix.empty()) refuse(cat(table.path({}), ": both location and prefix are unset"));
  const bool wildcard = rule.prefix.starts_with("*.");
  if (rule.location.empty() && !wildcard) {
    refuse(cat(table.path("location"), " is unset and prefix ", quoted(rule.prefix),
               " is not in the format: *.example.com"));
  }
  if (wildcard && rule.prefix.find_first_of("/@:") != std::string::npos) {
    refuse(cat(table.path("prefix"), ": wildcarded prefix ", quoted(rule.prefix),
               " is not in the format: *.example.com"));
  }
}

RegistriesConf::Rule parse_rule(const TomlTable& table, const std::string& file) {
  refuse_unsupported(table);
  RegistriesConf::Rule rule{.prefix = place(table, "prefix"),
                            .location = place(table, "location"),
                            .insecure = table.boolean("insecure"),
                            .blocked = table.boolean("blocked"),
                            .file = file};
  if (rule.prefix.empty()) rule.prefix = rule.location;
  check_prefix(table, rule);
  if (table.has("pull-from-mirror")) {
    refuse(cat(table.path("pull-from-mirror"), " must not be set for a non-mirror registry"));
  }
  const bool by_digest_only = table.boolean("mirror-by-digest-only");
  for (const TomlTable& mirror : table.tables("mirror")) {
    if (by_digest_only && mirror.has("pull-from-mirror")) {
      refuse(cat(mirror.path("pull-from-mirror"),
                 " cannot be set together with mirror-by-digest-only of its registry"));
    }
    rule.mirrors.push_back(parse_mirror(mirror));
    if (by_digest_only) rule.mirrors.back().serves = RegistriesConf::PullFrom::digests;
  }
  return rule;
}

const std::string& real_location(const RegistriesConf::Rule& rule) {
  return rule.location.empty() ? rule.prefix : rule.location;
}

/// A location's safety must not depend on the prefix under which it is reached.
void check_conflicts(std::vector<RegistriesConf::Rule> rules) {
  std::stable_sort(rules.begin(), rules.end(), [](const auto& a, const auto& b) {
    return real_location(a) < real_location(b);
  });
  for (std::size_t i = 1; i < rules.size(); ++i) {
    const RegistriesConf::Rule& a = rules[i - 1];
    const RegistriesConf::Rule& b = rules[i];
    if (real_location(a) != real_location(b)) continue;
    const char* setting = a.insecure != b.insecure ? "insecure"
                          : a.blocked != b.blocked ? "blocked"
                                                   : nullptr;
    if (setting == nullptr) continue;
    refuse(cat(b.file, ": registry ", quoted(real_location(b)),
               " is defined multiple times with conflicting '", setting, "' setting"));
  }
}

std::vector<RegistriesConf::Rule> parse_rules(const TomlTable& root, const std::string& file) {
  std::vector<RegistriesConf::Rule> rules;
  for (const TomlTable& table : root.tables("registry")) rules.push_back(parse_rule(table, file));
  check_conflicts(rules);
  const auto by_prefix = [](const auto& a, const auto& b) { return a.prefix < b.prefix; };
  std::stable_sort(rules.begin(), rules.end(), by_prefix);
  const auto same = [](const auto& a, const auto& b) { return a.prefix == b.prefix; };
  rules.erase(std::unique(rules.begin(), rules.end(), same), rules.end());
  return rules;
}

std::vector<std::string> parse_search(const TomlTable& root) {
  constexpr std::string_view kKey = "unqualified-search-registries";
  std::vector<std::string> hosts = root.texts(kKey);
  for (std::string& host : hosts) {
    while (host.ends_with('/')) host.pop_back();
    const auto parsed = Reference::try_parse(cat(host, "/x/x"));
    if (!parsed || parsed->registry != host) {
      refuse(cat(root.path(kKey), ": ", quoted(host), " is not a host with an optional port"));
    }
  }
  return hosts;
}

bool names_registry(std::string_view name) {
  const std::string_view first = name.substr(0, name.find('/'));
  return name.find('/') != std::string_view::npos &&
         (first == "localhost" || first.find_first_of(".:") != std::string_view::npos);
}

RegistriesConf::Alias parse_alias(const TomlTable& aliases, const std::string& name,
                                  const std::string& file) {
  const auto short_name = Reference::try_parse(name);
  if (!short_name || names_registry(name) || short_name->tag || short_name->digest) {
    refuse(cat(aliases.path(name), ": ", quoted(name),
               " is not a short name (no registry, no tag, no digest)"));
  }
  const std::string value = aliases.text(name);
  if (value.empty()) return {.name = {}, .file = file};
  const auto full = Reference::try_parse(value);
  if (!full || !names_registry(value) || full->tag || full->digest) {
    refuse(cat(aliases.path(name), ": ", quoted(value),
               " is not a registry with a repository (no tag, no digest)"));
  }
  return {.name = full->str(), .file = file};
}

std::optional<RegistriesConf::ShortNames> parse_mode(const TomlTable& root) {
  const std::string text = root.text("short-name-mode");
  if (text.empty()) return std::nullopt;
  if (text == "permissive") return RegistriesConf::ShortNames::permissive;
  if (text == "enforcing") return RegistriesConf::ShortNames::enforcing;
  if (text == "disabled") return RegistriesConf::ShortNames::disabled;
  refuse(cat(root.path("short-name-mode"), ": invalid short-name mode: ", quoted(text)));
}

void refuse_version_1(const TomlTable& root, const std::string& file) {
  for (const TomlTable& old : root.tables("registries")) {
    for (const std::string_view key : {"search", "insecure", "block"}) {
      if (old.has(key)) refuse(cat(file, ": registries.conf must be in v2 format but is in v1"));
    }
  }
}

bool is_helper_name(std::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.';
  });
}

}  // namespace

RegistriesConf RegistriesConf::parse(std::string_view text, const std::string& file) {
  if (text.size() > kMaxRegistriesConfBytes) {
    throw Error(Errc::limit_exceeded,
                cat(file, ": larger than ", kMaxRegistriesConfBytes, " bytes"));
  }
  const TomlDocument document(text, file);
  const TomlTable root = document.root();
  refuse_version_1(root, file);
  RegistriesConf conf{.rules = parse_rules(root, file), .short_names = parse_mode(root)};
  if (root.has("unqualified-search-registries")) {
    conf.search_registries = parse_search(root);
    conf.search_file = file;
  }
  if (root.has("credential-helpers")) {
    conf.credential_helpers = root.texts("credential-helpers");
    for (const std::string& name : *conf.credential_helpers) {
      if (is_helper_name(name)) continue;
      refuse(cat(root.path("credential-helpers"), ": ", quoted(name), " is not a plain name"));
    }
  }
  for (const TomlTable& aliases : root.tables("aliases")) {
    for (const std::string& name : aliases.keys()) {
      conf.aliases.emplace(name, parse_alias(aliases, name, file));
    }
  }
  return conf;
}

void RegistriesConf::merge(RegistriesConf later) {
  std::vector<Rule> both = std::move(later.rules);  // in front: of equals the first is kept
  std::move(rules.begin(), rules.end(), std::back_inserter(both));
  std::stable_sort(both.begin(), both.end(),
                   [](const Rule& a, const Rule& b) { return a.prefix < b.prefix; });
  both.erase(std::unique(both.begin(), both.end(),
                         [](const Rule& a, const Rule& b) { return a.prefix == b.prefix; }),
             both.end());
  rules = std::move(both);
  if (later.search_registries) {
    search_registries = std::move(later.search_registries);
    search_file = std::move(later.search_file);
  }
  if (later.credential_helpers) credential_helpers = std::move(later.credential_helpers);
  if (later.short_names) short_names = later.short_names;
  later.aliases.merge(aliases);
  aliases = std::move(later.aliases);
}

std::optional<std::size_t> covered_by(std::string_view prefix, std::string_view name) {
  std::size_t end = prefix.size();
  if (prefix.starts_with("*.")) {
    const std::string_view domain = prefix.substr(1);
    const std::size_t host_end = std::min(name.find_first_of("/:"), name.size());
    const std::string_view host = name.substr(0, host_end);
    if (host.size() <= domain.size() || !host.ends_with(domain)) return std::nullopt;
    return host_end;
  }
  if (prefix.empty() || !name.starts_with(prefix)) return std::nullopt;
  // "host" also covers "host:port": nobody who blocks a host means only one of its ports.
  const bool at_boundary =
      end == name.size() || name[end] == '/' || name[end] == ':' || name[end] == '@';
  if (!at_boundary) return std::nullopt;
  return end;
}

const RegistriesConf::Rule* RegistriesConf::rule_for(std::string_view name) const {
  const Rule* best = nullptr;
  for (const Rule& rule : rules) {
    if (!covered_by(rule.prefix, name)) continue;
    // Of two as long, one is a wildcard and stands first.
    if (best == nullptr || rule.prefix.size() >= best->prefix.size()) best = &rule;
  }
  return best;
}

}  // namespace lade
