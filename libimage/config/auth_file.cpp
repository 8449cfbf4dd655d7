#include "libimage/config/auth_file.h"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "libimage/base/base64.h"
#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/io/path.h"

namespace lade {
namespace {

using nlohmann::json;

[[noreturn]] void refuse(std::string_view reason) {
  throw Error(Errc::invalid_content, cat("auth file: ", reason));
}

json parse_json(std::string_view text) {
  if (text.size() > kMaxAuthFileBytes) refuse(cat("larger than ", kMaxAuthFileBytes, " bytes"));
  constexpr int kMaxDepth = 16;  // the format has three levels
  const auto limit = [](int depth, json::parse_event_t, json&) {
    if (depth > kMaxDepth) refuse("nested too deeply");
    return true;
  };
  try {
    json document = json::parse(text, limit);
    if (!document.is_object()) refuse("not a JSON object");
    return document;
  } catch (const json::exception&) {  // its text would repeat the file's content
    refuse("not JSON");
  }
}

std::string text_member(const json& object, const char* name) {
  const auto found = object.find(name);
  if (found == object.end() || found->is_null()) return {};
  if (!found->is_string()) refuse(cat("member ", name, " is not a text"));
  return found->get<std::string>();
}

const json& object_member(const json& object, const char* name) {
  static const json nothing = json::object();
  const auto found = object.find(name);
  if (found == object.end() || found->is_null()) return nothing;
  if (!found->is_object()) refuse(cat("member ", name, " is not an object"));
  return *found;
}

AuthEntry parse_entry(const std::string& key, const json& object) {
  if (!object.is_object()) refuse(cat("the entry of ", lade::quoted(key), " is not an object"));
  AuthEntry entry{.identity_token = text_member(object, "identitytoken")};
  const std::string auth = text_member(object, "auth");
  if (auth.empty()) {
    entry.username = text_member(object, "username");
    entry.password = text_member(object, "password");
    return entry;
  }
  const auto decoded = from_base64(auth);
  const auto colon = decoded ? decoded->find(':') : std::string::npos;
  if (colon == std::string::npos) {
    refuse(cat("auth of ", lade::quoted(key), " is not base64 of user:password"));
  }
  entry.username = decoded->substr(0, colon);
  entry.password = decoded->substr(colon + 1);
  while (entry.password.ends_with('\0')) entry.password.pop_back();  // old Docker versions pad
  return entry;
}

std::string helper_name(std::string name) {
  const auto plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.';
  };
  if (!std::all_of(name.begin(), name.end(), plain)) {
    refuse(cat("credential helper ", lade::quoted(name), " is not a plain name"));
  }
  return name;
}

}  // namespace

AuthFile AuthFile::parse(std::string_view text, Format format) {
  const json document = parse_json(text);
  AuthFile file;
  const json& auths = format == Format::legacy ? document : object_member(document, "auths");
  for (const auto& [key, value] : auths.items()) {
    AuthEntry entry = parse_entry(key, value);
    if (entry == AuthEntry{}) continue;  // Docker's mark for "the credsStore has it"
    const std::string meaning = auth_key(key);
    if (meaning == key) {
      file.auths.insert_or_assign(key, std::move(entry));
    } else {
      file.auths.try_emplace(meaning, std::move(entry));
    }
  }
  if (format == Format::legacy) return file;
  for (const auto& [key, value] : object_member(document, "credHelpers").items()) {
    if (!value.is_string()) refuse(cat("the helper of ", lade::quoted(key), " is not a text"));
    file.cred_helpers.try_emplace(auth_key(key), helper_name(value.get<std::string>()));
  }
  file.creds_store = helper_name(text_member(document, "credsStore"));
  return file;
}

std::optional<AuthFile> AuthFile::read(const std::string& path, Format format) {
  return with_context([&] { return cat("read ", lade::quoted(path)); },
                      [&]() -> std::optional<AuthFile> {
                        try {
                          return parse(read_file(path, kMaxAuthFileBytes), format);
                        } catch (const Error& e) {
                          if (e.code() == Errc::not_found) return std::nullopt;
                          throw;
                        }
                      });
}

std::string auth_key(std::string_view key) {
  for (const std::string_view scheme : {"https://", "http://"}) {
    if (!key.starts_with(scheme)) continue;
    key.remove_prefix(scheme.size());
    key = key.substr(0, key.find('/'));  // an API path, not a namespace
  }
  while (key.ends_with('/')) key.remove_suffix(1);
  std::string host = lower_case(key.substr(0, key.find('/')));
  if (host == "index.docker.io" || host == "registry-1.docker.io") host = "docker.io";
  return key.find('/') == std::string_view::npos ? host : cat(host, key.substr(key.find('/')));
}

std::vector<std::string> auth_keys(const std::string& registry, const std::string& repository) {
  const std::string host = auth_key(registry);
  std::vector<std::string> keys;
  std::string_view space = repository;
  while (!space.empty()) {
    keys.push_back(cat(host, "/", space));
    const auto slash = space.rfind('/');
    space = space.substr(0, slash == std::string_view::npos ? 0 : slash);
  }
  keys.push_back(host);
  return keys;
}

}  // namespace lade
