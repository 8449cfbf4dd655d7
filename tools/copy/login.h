/// Logging in and out, for `lade` and for the programs that it stands in for.
#pragma once
#include <optional>
#include <string>

#include "tools/common/options.h"
#include "tools/common/registry_access.h"

namespace lade::tools {

struct LoginRequest {
  /// "host[:port][/path]", also with a scheme; "": the first of the search registries.
  std::string registry = {};
  std::string username = {};  ///< "": asked for
  std::string password = {};  ///< "": asked for
  bool password_from_input = false;
  std::string auth_file = {};
  std::string compat_auth_file = {};  ///< instead of auth_file, as Docker reads it
  std::string cert_dir = {};
  std::string registries_conf = {};
  std::optional<bool> tls_verify = {};
  bool only_tell_username = false;  ///< --get-login
  bool verbose = false;             ///< say where the credentials are kept
};

/// Asks the registry whether it takes the credentials, then keeps them; prints what Podman's tools
/// print. Throws Error{unauthorized}: `logging into "K": invalid username/password`.
void log_in(const LoginRequest& request, const Environment& environment);

struct LogoutRequest {
  std::string registry = {};  ///< as LoginRequest::registry
  bool all = false;
  std::string auth_file = {};
  std::string compat_auth_file = {};
  std::string cert_dir = {};
  std::string registries_conf = {};
  std::optional<bool> tls_verify = {};
};

/// Forgets what log_in() kept. Throws Error{not_found}: "not logged into K".
void log_out(const LogoutRequest& request, const Environment& environment);

}  // namespace lade::tools
