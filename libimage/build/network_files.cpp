#include "libimage/build/network_files.h"

#include <utility>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/io/path.h"

namespace lade::build {
namespace {

constexpr std::uint64_t kMaxHostFileBytes = std::uint64_t{1} << 20U;

/// Nameservers on the host's loopback are out of reach from another network.
std::string without_loopback_servers(std::string_view text) {
  std::string out;
  for (const std::string_view line : split(text, '\n')) {
    const auto words = split(trimmed(line), ' ');
    const bool server = words.size() >= 2 && words[0] == "nameserver";
    if (server && (words[1].starts_with("127.") || words[1] == "::1")) continue;
    out.append(line).push_back('\n');
  }
  while (out.ends_with("\n\n")) out.pop_back();
  return out;
}

std::string text_of(const std::string& path) {
  return path_exists(path) ? read_file(path, kMaxHostFileBytes) : std::string();
}

}  // namespace

RunOptions network_words(const RunOptions& given, NetworkMode kind, sandbox::Network* network) {
  RunOptions out = given;
  std::erase_if(out.hosts, [&](auto& host) {
    if (host.second != "host-gateway") return false;
    if (kind == NetworkMode::host) host.second = "127.0.0.1";
    if (network != nullptr) host.second = network->gateway();
    if (network != nullptr && host.second.empty())
      throw Error(Errc::invalid_argument,
                  cat("--add-host ", host.first, ":host-gateway: from this network (",
                      sandbox::name_of(kind), ") no way leads to the host"));
    return host.second == "host-gateway";  // a RUN --network=none of a build that has one
  });
  if (network != nullptr && out.dns.empty()) {
    std::string server = network->name_server();
    if (!server.empty()) out.dns.push_back(std::move(server));
  }
  return out;
}

std::string hosts_text(const RunOptions& given, NetworkMode network, const std::string& hosts_file,
                       std::string_view own_name) {
  std::string out;
  if (network == NetworkMode::host) out = text_of(hosts_file);
  if (out.empty()) out = "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n";
  if (!out.ends_with('\n')) out += '\n';
  // The first line of a name counts.
  std::string first;
  for (const auto& [name, address] : given.hosts) first += cat(address, "\t", name, "\n");
  return cat(first, out, "127.0.1.1\t", own_name, "\n");
}

std::string resolv_conf_text(const RunOptions& given, NetworkMode network,
                             const std::string& resolv_conf) {
  std::string out = text_of(resolv_conf);
  if (network != NetworkMode::host) out = without_loopback_servers(out);
  const auto replaced = [&](std::string_view keyword, const std::string& lines) {
    std::string kept;
    for (const std::string_view line : split(out, '\n')) {
      const std::string_view word = trimmed(line).substr(0, trimmed(line).find_first_of(" \t"));
      const bool same = word == keyword || (keyword == "search" && word == "domain");
      if (!same && !line.empty()) kept.append(line).push_back('\n');
    }
    out = cat(kept, lines);
  };
  const auto joined = [](const std::vector<std::string>& words) {
    std::string text;
    for (const std::string& word : words) text += cat(" ", word);
    return text;
  };
  if (!given.dns.empty()) {
    std::string servers;
    for (const std::string& server : given.dns) servers += cat("nameserver ", server, "\n");
    replaced("nameserver", servers);
  }
  if (!given.dns_search.empty()) {
    const bool none = given.dns_search.size() == 1 && given.dns_search.front() == ".";
    replaced("search", none ? std::string() : cat("search", joined(given.dns_search), "\n"));
  }
  if (!given.dns_options.empty())
    replaced("options", cat("options", joined(given.dns_options), "\n"));
  return out;
}

}  // namespace lade::build
