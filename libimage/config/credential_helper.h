#pragma once
#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "libimage/config/auth_file.h"

namespace lade {

/// Where helpers are found and what they see.
struct HelperOptions {
  std::vector<std::string> directories = {};  ///< searched in order, as PATH
  std::vector<std::string> environment = {};  ///< "NAME=VALUE"; helpers need HOME and their own
  std::chrono::milliseconds timeout{60'000};  ///< one may ask the user, or a cloud's service
};

/// Runs `docker-credential-NAME get` with `server` on its standard input. nullopt: it has nothing
/// for that server. A username "<token>" means an identity token. Throws Error{not_found} if there
/// is no such program, Error{command_failed} if it fails otherwise, Error{invalid_content} for an
/// answer that is not its protocol's.
std::optional<AuthEntry> ask_credential_helper(const std::string& name, const std::string& server,
                                               const HelperOptions& options);

/// Has the helper keep `entry` for `server` (`store`). Throws as ask_credential_helper() does.
void store_in_credential_helper(const std::string& name, const std::string& server,
                                const AuthEntry& entry, const HelperOptions& options);

/// Has the helper forget `server` (`erase`); false: it had nothing for it.
bool erase_from_credential_helper(const std::string& name, const std::string& server,
                                  const HelperOptions& options);

/// The servers for which the helper has something (`list`).
std::vector<std::string> list_credential_helper(const std::string& name,
                                                const HelperOptions& options);

}  // namespace lade
