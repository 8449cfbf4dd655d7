/// The files by which processes of a container find hosts.
#pragma once
#include <string>
#include <string_view>

#include "libimage/build/build.h"

namespace lade::build {

/// `given` as it is in the network `kind`: host-gateway is an address of it, and the helper that
/// connects it is its name server. `network` is null where it is another than the build's own.
RunOptions network_words(const RunOptions& given, NetworkMode kind, sandbox::Network* network);

/// /etc/hosts: what was asked for, then `hosts_file` where the network is the machine's (else
/// localhost), then `own_name`.
std::string hosts_text(const RunOptions& given, NetworkMode network, const std::string& hosts_file,
                       std::string_view own_name);

/// /etc/resolv.conf: `resolv_conf`, without servers on the machine's loopback where that is out of
/// reach, and with what was asked for in place of its own lines.
std::string resolv_conf_text(const RunOptions& given, NetworkMode network,
                             const std::string& resolv_conf);

}  // namespace lade::build
