/// How a command reaches registries: from options and the environment to the library's values.
#pragma once
#include <memory>
#include <optional>
#include <stop_token>
#include <string>

#include "libimage/config/credential_store.h"
#include "libimage/config/find_credentials.h"
#include "libimage/store/store.h"

#include "tools/common/images.h"
#include "tools/common/options.h"

namespace lade::tools {

/// What the options say of registries; empty: the environment and its files do.
struct RegistryAccess {
  std::string auth_file = {};
  std::string cert_dir = {};
  std::string registries_conf = {};
  std::optional<bool> tls_verify = {};
  std::optional<Credentials> credentials = {};  ///< only for the registry that is named
  bool anonymous = false;                       ///< no credentials, whatever the files say
};

/// Reads --authfile, --creds and so on, or those of one side (--src-creds). Throws UsageError for
/// what contradicts itself.
RegistryAccess registry_access(const Arguments& arguments, Side side);

/// How a session with these reaches registries.
SessionOptions session_options(const RegistryAccess& access, const Environment& environment,
                               const std::stop_token& stop, ProgressObserver* observer);

/// Where the files of registries.conf are.
RegistriesConfPaths registries_conf_paths(const RegistryAccess& access,
                                          const Environment& environment);

/// The ecosystem's files with credentials, in the order in which they count. Error{not_found} if
/// the one that was asked for is missing.
CredentialSources credential_sources(const RegistryAccess& access, const Environment& environment);

/// Where `login` keeps credentials.
CredentialStore credential_store(const RegistryAccess& access, const Environment& environment);

}  // namespace lade::tools
