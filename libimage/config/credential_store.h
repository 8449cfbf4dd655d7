/// Keeping and forgetting credentials, as login and logout do.
#pragma once
#include <string>
#include <vector>

#include "libimage/config/auth_file.h"
#include "libimage/config/credential_helper.h"
#include "libimage/config/registries_conf.h"

namespace lade {

/// Where credentials are kept.
struct CredentialStore {
  std::string file;  ///< auth.json, or Docker's config.json
  /// `docker`: keys as Docker reads them; no keys of repositories, and only the file's own helpers.
  enum class Format { containers, docker };
  Format format = Format::containers;
  /// registries.conf's `credential-helpers`, the first that works is used; kAuthFilesHelper stands
  /// for the file.
  std::vector<std::string> helpers = {kAuthFilesHelper};
  HelperOptions helper = {};
};

/// Keeps `entry` for `key`, a host with an optional port and path, and says where: the file's path,
/// or "credential helper: NAME" where one is configured for it. The file is written whole, with
/// mode 0600, under a lock of its directory; what else it holds stays as it is. Throws
/// Error{unsupported} for a key with a path where the helper or the format has only hosts.
std::string store_credentials(const CredentialStore& store, const std::string& key,
                              const AuthEntry& entry);

/// Forgets what is kept for `key`; false: nothing was.
bool remove_credentials(const CredentialStore& store, const std::string& key);

/// Forgets everything that is kept.
void remove_all_credentials(const CredentialStore& store);

}  // namespace lade
