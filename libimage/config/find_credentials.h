#pragma once
#include <optional>
#include <string>
#include <vector>

#include "libimage/config/auth_file.h"
#include "libimage/config/credential_helper.h"
#include "libimage/config/registries_conf.h"

namespace lade {

/// Docker stores Docker Hub's credentials under this name.
inline constexpr const char* kDockerHubServer = "https://index.docker.io/v1/";

struct CredentialSources {
  /// Asked in order; missing ones are skipped. The ecosystem's order: --authfile or
  /// $REGISTRY_AUTH_FILE alone, else $XDG_RUNTIME_DIR/containers/auth.json,
  /// $XDG_CONFIG_HOME/containers/auth.json, $DOCKER_CONFIG/config.json.
  std::vector<std::string> files = {};
  std::string legacy_file = {};  ///< ~/.dockercfg, asked after them
  /// registries.conf's `credential-helpers`, asked in order; kAuthFilesHelper stands for the files.
  std::vector<std::string> helpers = {kAuthFilesHelper};
  HelperOptions helper = {};
};

/// Credentials for a repository of a registry ("host[:port]", "ns/repo", or "" for the registry
/// itself); nullopt: anonymous. In each file a helper of that registry is asked first, then the
/// file's general helper, then its entries, most specific first; the first answer counts. A helper
/// of a file that is missing or fails is an error: to go on without it could send other credentials
/// than the user meant. Of `helpers`, each may fail as long as another one answers.
std::optional<AuthEntry> find_credentials(const CredentialSources& sources,
                                          const std::string& registry,
                                          const std::string& repository);

/// What a helper has for a registry ("host[:port]"): Docker Hub's under either of its names.
std::optional<AuthEntry> ask_for_registry(const std::string& helper, const std::string& registry,
                                          const HelperOptions& options);

}  // namespace lade
