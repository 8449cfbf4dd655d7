#include "libimage/config/find_credentials.h"

namespace lade {
namespace {

// Docker stores Docker Hub's credentials under this name.
constexpr const char* kDockerHubServer = "https://index.docker.io/v1/";

std::optional<AuthEntry> find_in(const AuthFile& file, const HelperOptions& helper,
                                 const std::string& registry, const std::string& repository) {
  const std::string host = auth_key(registry);
  const std::string server = host == "docker.io" ? kDockerHubServer : host;
  if (const auto found = file.cred_helpers.find(host); found != file.cred_helpers.end()) {
    if (auto entry = ask_credential_helper(found->second, server, helper)) return entry;
  } else if (!file.creds_store.empty()) {
    if (auto entry = ask_credential_helper(file.creds_store, server, helper)) return entry;
  }
  for (const std::string& key : auth_keys(registry, repository)) {
    if (const auto found = file.auths.find(key); found != file.auths.end()) return found->second;
  }
  return std::nullopt;
}

}  // namespace

std::optional<AuthEntry> find_credentials(const CredentialSources& sources,
                                          const std::string& registry,
                                          const std::string& repository) {
  for (const std::string& path : sources.files) {
    const std::optional<AuthFile> file = AuthFile::read(path);
    if (!file) continue;
    if (auto entry = find_in(*file, sources.helper, registry, repository)) return entry;
  }
  return std::nullopt;
}

}  // namespace lade
