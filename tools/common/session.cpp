#include <filesystem>
#include <mutex>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/config/registry_places.h"

#include "tools/common/container_storage.h"
#include "tools/common/images.h"
#include "tools/common/process.h"
#include "tools/common/registry_access.h"
#include "tools/common/user_file.h"

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

/// The auth file that is written where nothing else is asked for.
std::string runtime_auth_file(const Environment& environment) {
  const std::string runtime = environment.variable("XDG_RUNTIME_DIR");
  return runtime.empty() ? cat("/run/containers/", process_uid(), "/auth.json")
                         : cat(runtime, "/containers/auth.json");
}

HelperOptions helper_options(const Environment& environment) {
  HelperOptions options;
  const std::string path = environment.variable("PATH");
  for (const std::string_view directory : split(path, ':')) {
    if (!directory.empty()) options.directories.emplace_back(directory);
  }
  for (const auto& [name, value] : environment.variables)
    options.environment.push_back(cat(name, "=", value));
  return options;
}

std::string cache_directory(const Environment& environment) {
  if (const std::string cache = environment.variable("XDG_CACHE_HOME"); cache.starts_with('/'))
    return cat(cache, "/lade");
  return process_uid() == 0 ? std::string("/var/cache/lade")
                            : home_file(environment, ".cache/lade");
}

/// USER[:PASSWORD] of a --creds option.
Credentials parse_creds(std::string_view option, const std::string& text) {
  const std::size_t colon = text.find(':');
  if (colon == 0 || text.empty())
    throw UsageError(cat("option --", option, " needs USER[:PASSWORD]"));
  return {.username = text.substr(0, colon),
          .password = colon == std::string::npos ? std::string() : text.substr(colon + 1)};
}

std::optional<Credentials> given_credentials(const Arguments& arguments, Side side) {
  const auto option = [&](std::string_view name) { return arguments.value(prefixed(side, name)); };
  const auto creds = option("creds");
  const auto username = option("username");
  const auto password = option("password");
  const auto refuse_both = [&](std::string_view one, std::string_view other) {
    throw UsageError(cat("--", prefixed(side, one), " and --", prefixed(side, other),
                         " cannot be specified at the same time"));
  };
  const bool anonymous = arguments.flag(prefixed(side, "no-creds"));
  if (creds && anonymous) refuse_both("creds", "no-creds");
  if (username && anonymous) refuse_both("username", "no-creds");
  if (option("registry-token") && anonymous) refuse_both("registry-token", "no-creds");
  if (creds && username) refuse_both("creds", "username");
  if (username && !password)
    throw UsageError("password must be specified when username is specified");
  if (password && !username)
    throw UsageError("username must be specified when password is specified");
  Credentials given;
  if (creds) given = parse_creds(prefixed(side, "creds"), *creds);
  if (username) given = {.username = *username, .password = *password};
  if (const auto token = option("registry-token")) given.registry_token = *token;
  if (given.username.empty() && given.registry_token.empty()) return std::nullopt;
  return given;
}

/// registries.conf, read when it is first needed. Thread-safe.
class LazyRegistries {
 public:
  explicit LazyRegistries(RegistriesConfPaths paths) : paths_(std::move(paths)) {}
  const RegistriesConf& get() {
    const std::scoped_lock lock(mutex_);
    if (!conf_) conf_ = load_registries_conf(paths_);
    return *conf_;
  }

 private:
  RegistriesConfPaths paths_;
  std::mutex mutex_;
  std::optional<RegistriesConf> conf_;  // guarded by mutex_, then never changed
};

RegistryEndpoint endpoint_of(RegistryPlace place) {
  using Serves = RegistryEndpoint::Serves;
  const Serves serves = place.serves == RegistriesConf::PullFrom::digests ? Serves::digests
                        : place.serves == RegistriesConf::PullFrom::tags  ? Serves::tags
                                                                          : Serves::all;
  return {.registry = std::move(place.registry),
          .repository = std::move(place.repository),
          .insecure = place.insecure,
          .serves = serves,
          .blocked_by = std::move(place.blocked_by)};
}

RegistryRoute route_of(const RegistriesConf& conf, const Reference& reference) {
  RegistryPlaces places = find_places(conf, reference);
  RegistryRoute route{.location = endpoint_of(std::move(places.location))};
  for (RegistryPlace& mirror : places.mirrors) {
    route.mirrors.push_back(endpoint_of(std::move(mirror)));
  }
  return route;
}

/// What libcurl does not read, lest a CGI script take a header for it; other tools do.
std::string http_proxy(const Environment& environment) {
  const bool taken = !environment.variable("http_proxy").empty();
  const bool script = !environment.variable("REQUEST_METHOD").empty();
  return taken || script ? std::string() : environment.variable("HTTP_PROXY");
}

void set_certificates(const RegistryAccess& access, const Environment& environment,
                      SessionOptions& options) {
  options.cert_dir = access.cert_dir;
  if (!options.cert_dir.empty()) return;
  const std::string own =
      user_file(environment, "XDG_CONFIG_HOME", ".config", "containers/certs.d");
  if (!own.empty()) options.certs_directories.push_back(own);
  options.certs_directories.emplace_back("/etc/containers/certs.d");
  options.certs_directories.emplace_back("/etc/docker/certs.d");
}

void set_credentials(const RegistryAccess& access, const Environment& environment,
                     const std::shared_ptr<LazyRegistries>& registries, SessionOptions& options) {
  if (access.anonymous) return;
  options.given_credentials = access.credentials;
  options.credentials = [sources = credential_sources(access, environment), registries](
                            const std::string& registry,
                            const std::string& repository) -> std::optional<Credentials> {
    CredentialSources wanted = sources;
    const auto& helpers = registries->get().credential_helpers;
    if (helpers && !helpers->empty()) wanted.helpers = *helpers;
    const auto entry = find_credentials(wanted, registry, repository);
    if (!entry) return std::nullopt;
    return Credentials{.username = entry->username,
                       .password = entry->password,
                       .identity_token = entry->identity_token};
  };
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

RegistryAccess registry_access(const Arguments& arguments, Side side) {
  return {
      .auth_file = arguments.value_or(side == Side::only ? "authfile" : prefixed(side, "authfile"),
                                      arguments.value_or("authfile", "")),
      .cert_dir = arguments.value_or(prefixed(side, "cert-dir"), ""),
      .registries_conf = arguments.value_or("registries-conf", ""),
      .tls_verify = arguments.tri_state(prefixed(side, "tls-verify")),
      .credentials = given_credentials(arguments, side),
      .anonymous = arguments.flag(prefixed(side, "no-creds"))};
}

RegistriesConfPaths registries_conf_paths(const RegistryAccess& access,
                                          const Environment& environment) {
  const bool root = process_uid() == 0;
  return {.main_file = access.registries_conf,
          .only_file = environment.variable("CONTAINERS_REGISTRIES_CONF"),
          .override_file = environment.variable("CONTAINERS_REGISTRIES_CONF_OVERRIDE"),
          .user_directory = user_file(environment, "XDG_CONFIG_HOME", ".config", "containers"),
          .system_directories = {"/etc/containers", "/usr/share/containers"},
          .user = process_uid(),
          .aliases_file = root ? std::string("/var/cache/containers/short-name-aliases.conf")
                               : user_file(environment, "XDG_CACHE_HOME", ".cache",
                                           "containers/short-name-aliases.conf")};
}

CredentialSources credential_sources(const RegistryAccess& access, const Environment& environment) {
  CredentialSources sources{.helper = helper_options(environment)};
  if (!access.auth_file.empty() && !std::filesystem::exists(access.auth_file)) {
    throw Error(Errc::not_found,
                cat("auth file ", lade::quoted(access.auth_file), ": no such file or directory"));
  }
  const std::string only =
      access.auth_file.empty() ? environment.variable("REGISTRY_AUTH_FILE") : access.auth_file;
  if (!only.empty()) {
    sources.files = {only};
    return sources;
  }
  const std::string docker = environment.variable("DOCKER_CONFIG");
  const std::string docker_file =
      docker.empty() ? home_file(environment, ".docker/config.json") : cat(docker, "/config.json");
  // A variable that was set for it beats places that are there anyhow; login writes there, too.
  if (!docker.empty()) sources.files.push_back(docker_file);
  sources.files.push_back(runtime_auth_file(environment));
  const std::string own =
      user_file(environment, "XDG_CONFIG_HOME", ".config", "containers/auth.json");
  if (!own.empty()) sources.files.push_back(own);
  if (docker.empty() && !docker_file.empty()) sources.files.push_back(docker_file);
  sources.legacy_file = home_file(environment, ".dockercfg");
  return sources;
}

CredentialStore credential_store(const RegistryAccess& access, const Environment& environment) {
  CredentialStore store{.file = access.auth_file, .helper = helper_options(environment)};
  if (store.file.empty()) store.file = environment.variable("REGISTRY_AUTH_FILE");
  if (store.file.empty()) {
    const std::string docker = environment.variable("DOCKER_CONFIG");
    if (!docker.empty()) store.file = cat(docker, "/config.json");
  }
  if (store.file.empty()) {
    const std::string runtime = environment.variable("XDG_RUNTIME_DIR");
    if (!runtime.empty() && !std::filesystem::exists(runtime)) {
      throw Error(Errc::not_found, cat("directory ", lade::quoted(runtime),
                                       " set by $XDG_RUNTIME_DIR does not exist: create it or "
                                       "unset the variable"));
    }
    store.file = runtime_auth_file(environment);
  }
  const RegistriesConf conf = load_registries_conf(registries_conf_paths(access, environment));
  if (conf.credential_helpers && !conf.credential_helpers->empty()) {
    store.helpers = *conf.credential_helpers;
  }
  return store;
}

SessionOptions session_options(const RegistryAccess& access, const Environment& environment,
                               const std::stop_token& stop, ProgressObserver* observer) {
  SessionOptions options;
  options.stop = stop;
  options.observer = observer;
  options.http_proxy = http_proxy(environment);
  set_certificates(access, environment, options);
  if (access.tls_verify) {
    options.tls_verify =
        *access.tls_verify ? SessionOptions::TlsVerify::yes : SessionOptions::TlsVerify::no;
  }
  if (const std::string temp = environment.variable("TMPDIR"); !temp.empty())
    options.temp_root = temp;
  options.cache_dir = cache_directory(environment);
  options.containers_storage = containers_storage(environment);
  const auto registries =
      std::make_shared<LazyRegistries>(registries_conf_paths(access, environment));
  set_credentials(access, environment, registries, options);
  options.route = [registries](const Reference& reference) {
    return route_of(registries->get(), reference);
  };
  options.expand_name = [registries](const std::string& name) {
    return expand_short_name(registries->get(), name);
  };
  return options;
}

std::unique_ptr<Session> make_session(const Arguments& arguments, const Environment& environment,
                                      Side side, const std::stop_token& stop,
                                      ProgressObserver* observer) {
  SessionOptions options =
      session_options(registry_access(arguments, side), environment, stop, observer);
  set_places(options, arguments, environment, side);
  return std::make_unique<Session>(std::move(options));
}

}  // namespace lade::tools
