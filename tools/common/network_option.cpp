#include "tools/common/network_option.h"

#include <optional>

#include <unistd.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/io/path.h"
#include "libimage/io/program.h"

#include "tools/common/step_runner.h"

namespace lade::tools {
namespace {

using sandbox::NetworkChoice;
using sandbox::NetworkHelper;
using sandbox::NetworkKind;

constexpr std::uint64_t kMaxMapBytes = 4096;

std::optional<std::string> helper_path(NetworkHelper helper, const Environment& environment) {
  const char* const name = helper == NetworkHelper::pasta ? "pasta" : "slirp4netns";
  try {
    return find_program(name, cat(environment.variable("PATH"), ":", kUsualPath));
  } catch (const Error& e) {
    if (e.code() != Errc::not_found) throw;
    return std::nullopt;
  }
}

/// True unless this process is root of the machine, which pasta of 2023 refuses to serve.
bool pasta_works() {
  if (::geteuid() != 0) return true;
  return read_file("/proc/self/uid_map", kMaxMapBytes).find("4294967295") == std::string::npos;
}

NetworkChoice through(NetworkHelper helper, std::string program) {
  NetworkChoice out{.kind = NetworkKind::own, .helper = helper, .program = std::move(program)};
  // pasta maps its gateway to this machine's loopback unless told otherwise, slirp4netns too.
  if (helper == NetworkHelper::pasta) {
    out.flags = {"--no-map-gw"};
  } else {
    out.flags = {"--disable-host-loopback", "--mtu=65520"};
  }
  return out;
}

NetworkChoice private_network(const Environment& environment) {
  const auto pasta = helper_path(NetworkHelper::pasta, environment);
  const auto slirp = helper_path(NetworkHelper::slirp4netns, environment);
  if (pasta && (pasta_works() || !slirp)) return through(NetworkHelper::pasta, *pasta);
  if (slirp) return through(NetworkHelper::slirp4netns, *slirp);
  throw Error(Errc::unsupported,
              "option --network private needs slirp4netns (package slirp4netns) or pasta (package "
              "passt), and neither is installed");
}

NetworkChoice asked_helper(NetworkHelper helper, const Environment& environment) {
  const auto program = helper_path(helper, environment);
  if (program) return through(helper, *program);
  throw Error(Errc::unsupported,
              helper == NetworkHelper::pasta
                  ? "option --network pasta: pasta (package passt) is not installed"
                  : "option --network slirp4netns: slirp4netns (package slirp4netns) is not "
                    "installed");
}

/// podman's options of slirp4netns, separated by commas.
void add_slirp_options(std::string_view words, NetworkChoice& choice) {
  for (const std::string_view word : split(words, ',')) {
    const std::size_t equals = std::min(word.find('='), word.size());
    const std::string_view key = word.substr(0, equals);
    const std::string value(equals < word.size() ? word.substr(equals + 1) : "");
    if (key == "allow_host_loopback") {
      if (read_truth("network", key, value)) std::erase(choice.flags, "--disable-host-loopback");
    } else if (key == "enable_ipv6") {
      if (read_truth("network", key, value)) choice.flags.emplace_back("--enable-ipv6");
    } else if (key == "mtu") {
      const auto mtu = parse_decimal(value);
      if (!mtu || *mtu < 576 || *mtu > 65'521)
        throw UsageError(cat("option --network: mtu is 576 to 65521, not ", quoted(value)));
      std::erase(choice.flags, "--mtu=65520");
      choice.flags.push_back(cat("--mtu=", *mtu));
    } else if ((key == "cidr" || key == "outbound_addr") && !value.empty()) {
      choice.flags.push_back(cat(key == "cidr" ? "--cidr=" : "--outbound-addr=", value));
    } else {
      throw UsageError(
          cat("option --network slirp4netns takes allow_host_loopback, cidr, enable_ipv6, mtu and "
              "outbound_addr, not ",
              quoted(word)));
    }
  }
}

/// podman's: arguments of pasta, separated by commas.
void add_pasta_options(std::string_view words, NetworkChoice& choice) {
  for (const std::string_view word : split(words, ',')) {
    if (word == "--map-gw") {
      std::erase(choice.flags, "--no-map-gw");
    } else {
      choice.flags.emplace_back(word);
    }
  }
}

}  // namespace

sandbox::NetworkChoice read_network(const std::string& word, const Environment& environment) {
  const std::size_t colon = std::min(word.find(':'), word.size());
  const std::string name = word.substr(0, colon);
  const std::string rest = colon < word.size() ? word.substr(colon + 1) : "";
  const bool alone = colon == word.size();
  if (alone && (name == "default" || name == "host")) return {};
  if (alone && name == "none") return {.kind = NetworkKind::none};
  if (alone && name == "private") return private_network(environment);
  if (name == "ns" && rest.starts_with('/')) return {.kind = NetworkKind::joined, .path = rest};
  if (name == "slirp4netns" || name == "pasta") {
    const auto helper = name == "pasta" ? NetworkHelper::pasta : NetworkHelper::slirp4netns;
    NetworkChoice choice = asked_helper(helper, environment);
    if (!alone && helper == NetworkHelper::pasta) add_pasta_options(rest, choice);
    if (!alone && helper == NetworkHelper::slirp4netns) add_slirp_options(rest, choice);
    return choice;
  }
  if (word.empty() || !alone || name.find('/') != std::string::npos)
    throw UsageError(
        cat("option --network takes default, host, none, private, slirp4netns, pasta "
            "or ns:/PATH, not ",
            quoted(word)));
  throw Error(Errc::unsupported,
              cat("option --network ", quoted(word),
                  ": networks by name are not implemented; "
                  "private has a way out, and ns:/run/netns/NAME is a namespace of ip-netns(8)"));
}

}  // namespace lade::tools
