#pragma once
#include <string>
#include <vector>

namespace lade {

/// TLS material for one registry (containers-certs.d(5)).
struct RegistryCerts {
  std::string ca_pem = {};            ///< all *.crt files, one after another
  std::string client_cert_file = {};  ///< the first *.cert file, with its *.key beside it
  std::string client_key_file = {};
  bool operator==(const RegistryCerts&) const = default;
};

/// What `directory` holds. A *.cert without its *.key, or the other way round, throws
/// Error{invalid_content}; a directory that cannot be read throws.
RegistryCerts read_certs_dir(const std::string& directory);

/// What the first existing directory ROOT/`host` ("host[:port]") of `roots` holds; nothing if there
/// is none. The ecosystem's roots: ~/.config/containers/certs.d, /etc/containers/certs.d,
/// /etc/docker/certs.d.
RegistryCerts find_registry_certs(const std::vector<std::string>& roots, const std::string& host);

}  // namespace lade
