#pragma once
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lade {

/// What a user has for one registry or repository.
struct AuthEntry {
  std::string username = {};
  std::string password = {};
  std::string identity_token = {};  ///< OAuth2 refresh token
  bool operator==(const AuthEntry&) const = default;
};

/// containers' auth.json and Docker's config.json: what they say of credentials.
struct AuthFile {
  std::map<std::string, AuthEntry> auths = {};           ///< by auth_key()
  std::map<std::string, std::string> cred_helpers = {};  ///< by auth_key(): the helper's name
  std::string creds_store = {};                          ///< helper for every other registry
  bool operator==(const AuthFile&) const = default;

  /// `legacy`: the members are the registries themselves (~/.dockercfg).
  enum class Format { current, legacy };
  /// Members that it does not know are ignored. An entry has `auth`, or `username` and `password`
  /// in clear text. Of two keys with one meaning the one that is spelled as auth_key() counts.
  /// Throws Error{invalid_content} for what is not JSON, for an `auth` that is not base64 of
  /// "user:password", and for names of helpers that could be paths.
  static AuthFile parse(std::string_view json, Format format = Format::current);
  /// Reads the file; nullopt if there is none.
  static std::optional<AuthFile> read(const std::string& path, Format format = Format::current);
};

/// Largest auth file that is read.
inline constexpr std::size_t kMaxAuthFileBytes = std::size_t{4} * 1024 * 1024;

/// The form under which keys of auth files and names of registries meet: without scheme and API
/// path, Docker Hub always as "docker.io".
std::string auth_key(std::string_view key);

/// The keys that may hold credentials for a repository, most specific first: "host/ns/repo",
/// "host/ns", "host".
std::vector<std::string> auth_keys(const std::string& registry, const std::string& repository);

}  // namespace lade
