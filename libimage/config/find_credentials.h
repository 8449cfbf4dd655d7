#pragma once
#include <optional>
#include <string>
#include <vector>

#include "libimage/config/auth_file.h"
#include "libimage/config/credential_helper.h"

namespace lade {

struct CredentialSources {
  /// Asked in order; missing ones are skipped. The ecosystem's order: --authfile or
  /// $REGISTRY_AUTH_FILE alone, else $XDG_RUNTIME_DIR/containers/auth.json,
  /// $XDG_CONFIG_HOME/containers/auth.json, $DOCKER_CONFIG/config.json.
  std::vector<std::string> files = {};
  HelperOptions helper = {};
};

/// Credentials for a repository of a registry ("host[:port]", "ns/repo"); nullopt: anonymous. In
/// each file a helper of that registry is asked first, then the file's general helper, then its
/// entries, most specific first; the first answer counts. A helper that is missing or fails is an
/// error: to go on without it could send other credentials than the user meant.
std::optional<AuthEntry> find_credentials(const CredentialSources& sources,
                                          const std::string& registry,
                                          const std::string& repository);

}  // namespace lade
