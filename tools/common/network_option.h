/// The word that says which network containers have: --network.
#pragma once
#include <string>
#include <string_view>

#include "libimage/sandbox/network.h"

#include "tools/common/options.h"

namespace lade::tools {

inline constexpr std::string_view kNetworkHelp =
    "network of containers: default or host, this machine's; none, a loopback interface only; "
    "private, one of their own with a way out through slirp4netns or pasta; slirp4netns[:OPTIONS], "
    "pasta[:OPTIONS]; ns:PATH, a network namespace";

/// Reads it, and finds the program that it needs. UsageError; Error{unsupported} for what is not
/// implemented or not installed.
sandbox::NetworkChoice read_network(const std::string& word, const Environment& environment);

}  // namespace lade::tools
