#include "libimage/config/find_credentials.h"

#include "libimage/base/error.h"

namespace lade {
namespace {

std::optional<AuthEntry> find_in(const AuthFile& file, const HelperOptions& helper,
                                 const std::string& registry, const std::string& repository) {
  const auto own = file.cred_helpers.find(auth_key(registry));
  const std::string& name = own != file.cred_helpers.end() ? own->second : file.creds_store;
  if (!name.empty()) {
    if (auto entry = ask_for_registry(name, registry, helper)) return entry;
  }
  for (const std::string& key : auth_keys(registry, repository)) {
    if (const auto found = file.auths.find(key); found != file.auths.end()) return found->second;
  }
  return std::nullopt;
}

std::optional<AuthEntry> find_in_files(const CredentialSources& sources,
                                       const std::string& registry, const std::string& repository) {
  for (const std::string& path : sources.files) {
    const std::optional<AuthFile> file = AuthFile::read(path);
    if (!file) continue;
    if (auto entry = find_in(*file, sources.helper, registry, repository)) return entry;
  }
  if (sources.legacy_file.empty()) return std::nullopt;
  const auto legacy = AuthFile::read(sources.legacy_file, AuthFile::Format::legacy);
  return legacy ? find_in(*legacy, sources.helper, registry, {}) : std::nullopt;
}

}  // namespace

std::optional<AuthEntry> ask_for_registry(const std::string& helper, const std::string& registry,
                                          const HelperOptions& options) {
  const std::string host = auth_key(registry);
  if (host == "docker.io") {
    if (auto entry = ask_credential_helper(helper, kDockerHubServer, options)) return entry;
  }
  return ask_credential_helper(helper, host, options);
}

std::optional<AuthEntry> find_credentials(const CredentialSources& sources,
                                          const std::string& registry,
                                          const std::string& repository) {
  std::optional<Error> failure;
  for (const std::string& helper : sources.helpers) {
    try {
      auto entry = helper == kAuthFilesHelper ? find_in_files(sources, registry, repository)
                                              : ask_for_registry(helper, registry, sources.helper);
      if (entry) return entry;
    } catch (const Error& e) {
      if (!failure) failure = e;
    }
  }
  if (failure) throw Error(*failure);
  return std::nullopt;
}

}  // namespace lade
