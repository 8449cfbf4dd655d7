#include <filesystem>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/config/find_credentials.h"

#include "tools/common/images.h"
#include "tools/common/process.h"

namespace lade::tools {
namespace {

std::string prefixed(Side side, std::string_view option) {
  switch (side) {
    case Side::only:
      return std::string(option);
    case Side::source:
      return cat("src-", option);
    case Side::destination:
      return cat("dest-", option);
  }
  return {};
}

/// The ecosystem's files with credentials, in the order in which they count.
CredentialSources credential_sources(const Arguments& arguments, const Environment& environment) {
  CredentialSources sources;
  std::string explicit_file = arguments.value_or("authfile", "");
  if (!explicit_file.empty() && !std::filesystem::exists(explicit_file)) {
    throw Error(Errc::not_found,
                cat("auth file ", lade::quoted(explicit_file), ": no such file or directory"));
  }
  if (explicit_file.empty()) explicit_file = environment.variable("REGISTRY_AUTH_FILE");
  if (!explicit_file.empty()) {
    sources.files.push_back(explicit_file);
  } else {
    const std::string home = environment.variable("HOME");
    const std::string runtime = environment.variable("XDG_RUNTIME_DIR");
    const std::string config = environment.variable("XDG_CONFIG_HOME");
    const std::string docker = environment.variable("DOCKER_CONFIG");
    sources.files.push_back(runtime.empty() ? "/run/containers/0/auth.json"
                                            : cat(runtime, "/containers/auth.json"));
    sources.files.push_back(
        cat(config.empty() ? cat(home, "/.config") : config, "/containers/auth.json"));
    sources.files.push_back(cat(docker.empty() ? cat(home, "/.docker") : docker, "/config.json"));
  }
  const std::string path = environment.variable("PATH");
  for (const std::string_view directory : split(path, ':')) {
    if (!directory.empty()) sources.helper.directories.emplace_back(directory);
  }
  for (const auto& [name, value] : environment.variables)
    sources.helper.environment.push_back(cat(name, "=", value));
  return sources;
}

/// USER[:PASSWORD] of a --creds option.
Credentials parse_creds(std::string_view option, const std::string& text) {
  const std::size_t colon = text.find(':');
  if (colon == 0 || text.empty())
    throw UsageError(cat("option --", option, " needs USER[:PASSWORD]"));
  return {.username = text.substr(0, colon),
          .password = colon == std::string::npos ? std::string() : text.substr(colon + 1)};
}

std::string cache_directory(const Environment& environment) {
  if (const std::string cache = environment.variable("XDG_CACHE_HOME"); cache.starts_with('/'))
    return cat(cache, "/lade");
  if (process_uid() == 0) return "/var/cache/lade";
  const std::string home = environment.variable("HOME");
  return home.empty() ? "" : cat(home, "/.cache/lade");
}

/// $DOCKER_HOST as docker's own client reads it: there tcp:// has TLS only by $DOCKER_TLS_VERIFY.
std::string daemon_host_of(const Environment& environment) {
  constexpr std::string_view kTcp = "tcp://";
  const std::string host = environment.variable("DOCKER_HOST");
  if (!host.starts_with(kTcp) || !environment.variable("DOCKER_TLS_VERIFY").empty()) return host;
  return cat("http://", std::string_view(host).substr(kTcp.size()));
}

void set_places(SessionOptions& options, const Arguments& arguments, const Environment& environment,
                Side side) {
  options.shared_blob_dir = arguments.value_or(prefixed(side, "shared-blob-dir"), "");
  options.append_to_archives = side == Side::destination && arguments.flag("append");
  std::string host = arguments.value_or(prefixed(side, "daemon-host"), "");
  if (host.empty()) {
    host = daemon_host_of(environment);
    if (options.cert_dir.empty() && host.starts_with("tcp://")) {
      options.cert_dir = environment.variable("DOCKER_CERT_PATH");
    }
  }
  if (!host.empty()) options.daemon_host = host;
}

}  // namespace

std::unique_ptr<Session> make_session(const Arguments& arguments, const Environment& environment,
                                      Side side, const std::stop_token& stop,
                                      ProgressObserver* observer) {
  SessionOptions options;
  options.stop = stop;
  options.observer = observer;
  options.cert_dir = arguments.value_or(prefixed(side, "cert-dir"), "");
  if (options.cert_dir.empty()) {
    const std::string config = environment.variable("XDG_CONFIG_HOME");
    const std::string home =
        config.empty() ? cat(environment.variable("HOME"), "/.config") : config;
    options.certs_directories = {cat(home, "/containers/certs.d"), "/etc/containers/certs.d",
                                 "/etc/docker/certs.d"};
  }
  if (const auto verify = arguments.tri_state(prefixed(side, "tls-verify"))) {
    options.tls_verify = *verify ? SessionOptions::TlsVerify::yes : SessionOptions::TlsVerify::no;
  }
  if (const std::string temp = environment.variable("TMPDIR"); !temp.empty())
    options.temp_root = temp;
  options.cache_dir = cache_directory(environment);
  set_places(options, arguments, environment, side);
  const std::string creds_option = prefixed(side, "creds");
  if (const auto creds = arguments.value(creds_option)) {
    options.credentials = [given = parse_creds(creds_option, *creds)](const std::string&,
                                                                      const std::string&) {
      return std::optional(given);
    };
  } else {
    options.credentials = [sources = credential_sources(arguments, environment)](
                              const std::string& registry,
                              const std::string& repository) -> std::optional<Credentials> {
      const auto entry = find_credentials(sources, registry, repository);
      if (!entry) return std::nullopt;
      return Credentials{.username = entry->username,
                         .password = entry->password,
                         .identity_token = entry->identity_token};
    };
  }
  return std::make_unique<Session>(std::move(options));
}

}  // namespace lade::tools
