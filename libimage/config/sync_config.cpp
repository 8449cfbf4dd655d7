#include "libimage/config/sync_config.h"

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/config/yaml.h"

namespace lade {
namespace {

using Kind = YamlValue::Kind;

[[noreturn]] void fail(const YamlValue& value, std::string_view key, std::string_view rule) {
  throw Error(Errc::invalid_content,
              cat("line ", value.line, ": ", quoted(key.substr(0, 100)), " ", rule));
}

const std::string& text_of(const YamlValue& value, std::string_view key) {
  if (value.kind != Kind::scalar) fail(value, key, "must be a text");
  return value.text;
}

/// The members of a mapping; none for a member without a value.
const std::vector<YamlValue>& members_of(const YamlValue& value, std::string_view key) {
  if (value.kind != Kind::mapping && value.kind != Kind::null)
    fail(value, key, "must be a mapping");
  return value.members;
}

std::vector<std::string> texts_of(const YamlValue& value, std::string_view key) {
  if (value.kind != Kind::sequence && value.kind != Kind::null) fail(value, key, "must be a list");
  std::vector<std::string> texts;
  for (const YamlValue& item : value.items) texts.push_back(text_of(item, key));
  return texts;
}

std::map<std::string, std::string> text_map(const YamlValue& value, std::string_view key) {
  std::map<std::string, std::string> map;
  for (const YamlValue& member : members_of(value, key)) {
    map.emplace(member.key, text_of(member, member.key));
  }
  return map;
}

AuthEntry credentials_of(const YamlValue& value, std::vector<const YamlValue*>& unknown) {
  AuthEntry entry;
  for (const YamlValue& member : members_of(value, "credentials")) {
    const bool empty = member.kind == Kind::null;
    const std::string text = empty ? std::string() : text_of(member, member.key);
    if (member.key == "username") {
      entry.username = text;
    } else if (member.key == "password") {
      entry.password = text;
    } else if (member.key == "identitytoken") {
      entry.identity_token = text;
    } else {
      unknown.push_back(&member);
    }
  }
  return entry;
}

void read_member(SyncRegistry& registry, const YamlValue& member,
                 std::vector<const YamlValue*>& unknown) {
  const YamlValue& value = member;
  if (member.key == "images") {
    for (const YamlValue& repository : members_of(value, member.key)) {
      registry.images.emplace(repository.key, texts_of(repository, repository.key));
    }
  } else if (member.key == "images-by-tag-regex") {
    registry.images_by_tag_regex = text_map(value, member.key);
  } else if (member.key == "images-by-semver") {
    registry.images_by_semver = text_map(value, member.key);
  } else if (member.key == "credentials") {
    const AuthEntry entry = credentials_of(value, unknown);
    if (entry != AuthEntry{}) registry.credentials = entry;
  } else if (member.key == "tls-verify") {
    registry.tls_verify = value.boolean();
    if (!registry.tls_verify) fail(value, member.key, "must be true or false");
  } else if (member.key == "cert-dir") {
    registry.cert_dir = value.kind == Kind::null ? std::string() : text_of(value, member.key);
  } else {
    unknown.push_back(&member);
  }
}

}  // namespace

SyncConfig SyncConfig::parse(std::string_view yaml) {
  const YamlValue root = parse_yaml(yaml);
  if (root.kind != Kind::mapping && root.kind != Kind::null) {
    throw Error(Errc::invalid_content, "the file must be a mapping of registries");
  }
  SyncConfig config;
  for (const YamlValue& entry : root.members) {
    SyncRegistry registry{.name = entry.key};
    std::vector<const YamlValue*> unknown;
    for (const YamlValue& member : members_of(entry, entry.key)) {
      read_member(registry, member, unknown);
    }
    for (const YamlValue* member : unknown) {
      config.unknown.push_back(cat(printable(entry.key), ": ", quoted(member->key.substr(0, 100)),
                                   " (line ", member->line, ")"));
    }
    config.registries.push_back(std::move(registry));
  }
  return config;
}

}  // namespace lade
