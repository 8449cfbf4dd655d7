// lade login [REGISTRY], lade logout [REGISTRY]
#include "tools/copy/login.h"

#include <array>
#include <filesystem>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/name/reference.h"
#include "libimage/transports/registry.h"

#include "tools/common/progress.h"
#include "tools/common/prompt.h"
#include "tools/common/signals.h"
#include "tools/common/terminal.h"
#include "tools/copy/verbs.h"

namespace lade::tools {
namespace {

constexpr std::string_view kInvalid =
    "Existing credentials are invalid, please enter valid username and password\n";
constexpr std::size_t kMaxPasswordBytes = std::size_t{64} * 1024;

/// What credentials are kept for.
struct Account {
  std::string key;         ///< host[:port][/path]
  std::string registry;    ///< host[:port]
  std::string repository;  ///< the path; "" for all of the registry
};

Account parse_account(std::string text) {
  for (const std::string_view scheme : {"https://", "http://"}) {
    if (!text.starts_with(scheme)) continue;
    text.erase(0, scheme.size());
    text = text.substr(0, text.find('/'));  // a path of the API, not of a repository
  }
  while (text.ends_with('/')) text.pop_back();
  const std::size_t slash = text.find('/');
  Account account{.key = text, .registry = text.substr(0, slash), .repository = {}};
  if (slash != std::string::npos) account.repository = text.substr(slash + 1);
  const auto parsed =
      Reference::try_parse(cat(account.key, slash == std::string::npos ? "/x" : ""));
  const bool host_only = Reference::try_parse(cat(account.registry, "/x/x")).has_value();
  if (!parsed || !host_only) {
    throw Error(Errc::invalid_argument,
                cat("registry ", lade::quoted(text), ": HOST[:PORT][/REPOSITORY] is wanted"));
  }
  if (parsed->tag || parsed->digest) {
    throw Error(Errc::invalid_argument,
                cat("reference ", lade::quoted(text), " contains tag or digest"));
  }
  return account;
}

std::string default_registry(const RegistryAccess& access, const Environment& environment) {
  const RegistriesConf conf = load_registries_conf(registries_conf_paths(access, environment));
  if (!conf.search_registries || conf.search_registries->empty()) {
    throw Error(Errc::invalid_argument,
                "no registries found in registries.conf, a registry must be provided");
  }
  return conf.search_registries->front();
}

Account account_of(const std::string& registry, const RegistryAccess& access,
                   const Environment& environment) {
  return parse_account(registry.empty() ? default_registry(access, environment) : registry);
}

template <typename Request>
RegistryAccess access_of(const Request& request) {
  if (!request.auth_file.empty() && !request.compat_auth_file.empty()) {
    throw UsageError("--authfile and --compat-auth-file cannot be used together");
  }
  return {.auth_file = request.auth_file.empty() ? request.compat_auth_file : request.auth_file,
          .cert_dir = request.cert_dir,
          .registries_conf = request.registries_conf,
          .tls_verify = request.tls_verify};
}

CredentialStore store_of(const std::string& compat_auth_file, const RegistryAccess& access,
                         const Environment& environment) {
  CredentialStore store = credential_store(access, environment);
  if (!compat_auth_file.empty()) store.format = CredentialStore::Format::docker;
  return store;
}

/// What is kept already; a file that is yet to be written holds nothing.
AuthEntry known_credentials(const Account& account, RegistryAccess access,
                            const CredentialStore& store, const Environment& environment) {
  if (!access.auth_file.empty() && !std::filesystem::exists(access.auth_file)) return {};
  CredentialSources sources = credential_sources(access, environment);
  sources.helpers = store.helpers;
  return find_credentials(sources, account.registry, account.repository).value_or(AuthEntry{});
}

void check(const Account& account, RegistryAccess access, const AuthEntry& entry,
           const Environment& environment, const std::stop_token& stop) {
  access.auth_file.clear();  // nothing is looked up
  access.credentials = Credentials{.username = entry.username, .password = entry.password};
  Session session(session_options(access, environment, stop, nullptr));
  check_credentials(account.registry, session);
}

std::string read_password(const LoginRequest& request, const std::stop_token& stop) {
  if (!request.password_from_input) return request.password;
  if (!request.password.empty())
    throw UsageError("--password and --password-stdin cannot be used together");
  if (request.username.empty()) throw UsageError("--password-stdin needs --username");
  return read_input(kMaxPasswordBytes, stop);
}

/// What is missing is asked for; `known` is offered as the user name.
AuthEntry complete(AuthEntry entry, const std::string& known, const std::stop_token& stop) {
  if (entry.username.empty()) {
    const std::string question =
        known.empty() ? "Username: " : cat("Username (", printable(known), "): ");
    entry.username = trimmed(ask(question, stop));
    if (entry.username.empty()) entry.username = known;
  }
  if (entry.username.empty()) throw Error(Errc::invalid_argument, "the user name is empty");
  if (entry.password.empty()) entry.password = ask_secret("Password: ", stop);
  return entry;
}

bool accepts(const Account& account, const RegistryAccess& access, const AuthEntry& entry,
             const Environment& environment, const std::stop_token& stop) {
  try {
    check(account, access, entry, environment, stop);
    return true;
  } catch (const Error&) {
    return false;
  }
}

/// True if the credentials that are kept already are good.
bool already_logged_in(const Account& account, const RegistryAccess& access, const AuthEntry& known,
                       const Environment& environment, const std::stop_token& stop) {
  print(cat("Authenticating with existing credentials for ", account.key, "\n"));
  const bool good = accepts(account, access, known, environment, stop);
  print(good ? cat("Existing credentials are valid. Already logged in to ", account.registry, "\n")
             : std::string(kInvalid));
  return good;
}

void verify(const Account& account, const RegistryAccess& access, const AuthEntry& entry,
            const Environment& environment, const std::stop_token& stop) {
  try {
    check(account, access, entry, environment, stop);
  } catch (const Error& e) {
    if (e.code() == Errc::unauthorized) {
      throw Error(e.code(), cat("logging into \"", account.key, "\": invalid username/password"),
                  e.detail());
    }
    throw e.in(cat("authenticating creds for \"", account.key, "\""));
  }
}

constexpr std::array<OptionSpec, 8> kLoginOptions = {{
    {.name = "username", .letter = 'u', .value = "USER", .help = "user name; else it is asked for"},
    {.name = "password",
     .letter = 'p',
     .value = "PASSWORD",
     .help = "password; else it is asked for (other users of the machine can see it here)"},
    {.name = "password-stdin", .help = "read the password from standard input"},
    {.name = "get-login", .help = "only print the user name that is logged in"},
    {.name = "authfile", .value = "FILE", .help = "keep the credentials in this auth.json"},
    {.name = "compat-auth-file",
     .value = "FILE",
     .help = "keep them in this file instead, as Docker reads its config.json"},
    {.name = "cert-dir",
     .value = "DIR",
     .help = "directory with *.crt, *.cert and *.key files for TLS with the registry"},
    {.name = "verbose", .letter = 'v', .help = "say where the credentials are kept"},
}};
constexpr std::array<OptionSpec, 2> kConnectionOptions = {{
    {.name = "tls-verify",
     .help = "require https and verify certificates of the registry; false also allows plain http",
     .optional_value = true},
    {.name = "registries-conf",
     .value = "FILE",
     .help = "read this registries.conf instead of the ones that are installed"},
}};
constexpr std::array<OptionSpec, 3> kLogoutOptions = {{
    {.name = "all", .letter = 'a', .help = "forget all credentials"},
    {.name = "authfile", .value = "FILE", .help = "forget them in this auth.json"},
    {.name = "compat-auth-file",
     .value = "FILE",
     .help = "forget them in this file instead, which Docker reads"},
}};

constexpr std::array<std::span<const OptionSpec>, 2> kLoginGroups = {kLoginOptions,
                                                                     kConnectionOptions};
constexpr std::array<std::span<const OptionSpec>, 2> kLogoutGroups = {kLogoutOptions,
                                                                      kConnectionOptions};

constexpr std::array<std::string_view, 6> kLoginExamples = {
    "Log in, being asked for the password",
    "lade login -u alice registry.example",
    "Log in from a script",
    "lade login -u robot --password-stdin registry.example < token.txt",
    "Credentials for one project alone",
    "lade login -u alice registry.example/project",
};
constexpr std::array<std::string_view, 2> kLogoutExamples = {
    "Forget the credentials of a registry",
    "lade logout registry.example",
};

std::string first_positional(const Arguments& arguments) {
  return arguments.positional().empty() ? std::string() : arguments.positional().front();
}

int run_login(const Arguments& arguments, const Environment& environment) {
  log_in({.registry = first_positional(arguments),
          .username = arguments.value_or("username", ""),
          .password = arguments.value_or("password", ""),
          .password_from_input = arguments.flag("password-stdin"),
          .auth_file = arguments.value_or("authfile", ""),
          .compat_auth_file = arguments.value_or("compat-auth-file", ""),
          .cert_dir = arguments.value_or("cert-dir", ""),
          .registries_conf = arguments.value_or("registries-conf", ""),
          .tls_verify = arguments.tri_state("tls-verify"),
          .only_tell_username = arguments.flag("get-login"),
          .verbose = arguments.flag("verbose")},
         environment);
  return 0;
}

int run_logout(const Arguments& arguments, const Environment& environment) {
  log_out({.registry = first_positional(arguments),
           .all = arguments.flag("all"),
           .auth_file = arguments.value_or("authfile", ""),
           .compat_auth_file = arguments.value_or("compat-auth-file", ""),
           .registries_conf = arguments.value_or("registries-conf", ""),
           .tls_verify = arguments.tri_state("tls-verify")},
          environment);
  return 0;
}

}  // namespace

void log_in(const LoginRequest& request, const Environment& environment) {
  const StopOnSignal stop;
  const RegistryAccess access = access_of(request);
  const Account account = account_of(request.registry, access, environment);
  const CredentialStore store = store_of(request.compat_auth_file, access, environment);
  const AuthEntry known = known_credentials(account, access, store, environment);
  if (request.only_tell_username) {
    if (known.username.empty()) throw Error(Errc::not_found, cat("not logged into ", account.key));
    print(cat(printable(known.username), "\n"));
    return;
  }
  if (!known.identity_token.empty() && request.username.empty()) {
    throw Error(Errc::already_exists, "currently logged in, auth file contains an Identity token");
  }
  AuthEntry entry{.username = request.username, .password = read_password(request, stop.token())};
  const bool nothing_given = entry.username.empty() && entry.password.empty();
  if (nothing_given && !known.username.empty() && !known.password.empty() &&
      already_logged_in(account, access, known, environment, stop.token())) {
    return;
  }
  entry = complete(std::move(entry), known.username, stop.token());
  verify(account, access, entry, environment, stop.token());
  const std::string where = store_credentials(store, account.key, entry);
  if (request.verbose) print(cat("Used:  ", printable(where), "\n"));
  print("Login Succeeded!\n");
}

void log_out(const LogoutRequest& request, const Environment& environment) {
  const StopOnSignal stop;
  const RegistryAccess access = access_of(request);
  if (!access.auth_file.empty() && !std::filesystem::exists(access.auth_file)) {
    throw Error(Errc::not_found,
                cat("auth file ", lade::quoted(access.auth_file), ": no such file or directory"));
  }
  const CredentialStore store = store_of(request.compat_auth_file, access, environment);
  if (request.all) {
    if (!request.registry.empty()) throw UsageError("--all takes no registry");
    remove_all_credentials(store);
    print("Removed login credentials for all registries\n");
    return;
  }
  const Account account = account_of(request.registry, access, environment);
  if (remove_credentials(store, account.key)) {
    print(cat("Removed login credentials for ", account.key, "\n"));
    return;
  }
  const AuthEntry other = known_credentials(account, access, store, environment);
  if (!other.username.empty() && !other.password.empty() &&
      accepts(account, access, other, environment, stop.token())) {
    print(cat("Not logged into ", account.key,
              " with current tool. Existing credentials were established via docker login. Please "
              "use docker logout instead.\n"));
    return;
  }
  throw Error(Errc::not_found, cat("not logged into ", account.key));
}

const VerbSpec kLoginVerb = {
    .name = "login",
    .synopsis = "[REGISTRY]",
    .summary = "keep credentials for a registry",
    .description =
        "Asks the registry whether it takes a user name and a password, and keeps them for all "
        "verbs, and for the other tools that read the same files.\n\n"
        "REGISTRY is HOST[:PORT], or HOST[:PORT]/REPOSITORY for what lies below that path alone; "
        "without it, the first of the unqualified-search-registries of registries.conf. What is "
        "not given is asked for.\n\n"
        "The credentials are kept in the file of --authfile, else $REGISTRY_AUTH_FILE, else "
        "config.json in $DOCKER_CONFIG, else containers/auth.json in $XDG_RUNTIME_DIR "
        "(/run/containers/UID/auth.json where that is not set), with mode 0600; or in the "
        "credential helper that is configured there or in registries.conf.",
    .options = kLoginGroups,
    .examples = kLoginExamples,
    .min_positional = 0,
    .max_positional = 1,
    .run = run_login,
    .group = "Copy",
};

const VerbSpec kLogoutVerb = {
    .name = "logout",
    .synopsis = "[REGISTRY]",
    .summary = "forget credentials for a registry",
    .description =
        "Forgets what 'lade login' kept for REGISTRY, in the file or in the credential "
        "helper that it used, or everything there with --all.",
    .options = kLogoutGroups,
    .examples = kLogoutExamples,
    .min_positional = 0,
    .max_positional = 1,
    .run = run_logout,
    .group = "Copy",
};

}  // namespace lade::tools
