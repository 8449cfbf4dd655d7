#include "libimage/transports/docker_registry.h"

#include <map>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/config/certs_dir.h"
#include "libimage/transports/docker_errors.h"
#include "libimage/transports/docker_rate.h"

namespace lade::docker {
namespace {

// After a first 401 one more is possible: the rights of a held token did not suffice.
constexpr int kMaxChallenges = 2;
constexpr std::size_t kMaxWarnings = 100;
constexpr std::size_t kMaxWarningBytes = 4096;  // distribution-spec v1.1.1, "Warnings"

constexpr std::string_view kHub = "docker.io";
constexpr std::string_view kHubHost = "registry-1.docker.io";

/// The directory for `url` in a certs.d: named as the registry is in references.
std::string certs_name(const Url& url) {
  return url.authority() == kHubHost ? std::string(kHub) : url.authority();
}

bool names_port(std::string_view host) {
  const auto colon = host.rfind(':');
  const auto bracket = host.rfind(']');  // of an IPv6 address
  return colon != std::string_view::npos && (bracket == std::string_view::npos || bracket < colon);
}

TlsOptions tls_options(const SessionOptions& options, const Url& url) {
  TlsOptions tls;
  if (options.tls_verify == SessionOptions::TlsVerify::no) tls.verify = TlsOptions::Verify::no;
  const RegistryCerts certs = options.cert_dir.empty()
                                  ? find_registry_certs(options.certs_directories, certs_name(url))
                                  : read_certs_dir(options.cert_dir);
  tls.ca_pem = certs.ca_pem;
  tls.client_cert_file = certs.client_cert_file;
  tls.client_key_file = certs.client_key_file;
  return tls;
}

/// Certificates are read once for each server, not for each request.
class TlsByServer {
 public:
  explicit TlsByServer(SessionOptions options) : options_(std::move(options)) {}
  TlsOptions operator()(const Url& url) {
    const std::scoped_lock lock(mutex_);
    const auto found = known_.find(url.authority());
    if (found != known_.end()) return found->second;
    return known_.emplace(url.authority(), tls_options(options_, url)).first->second;
  }

 private:
  SessionOptions options_;
  std::mutex mutex_;
  std::map<std::string, TlsOptions> known_;  // guarded by mutex_
};

/// The text of `299 - "text"`; "" if it is anything else.
std::string warning_text(std::string_view value) {
  if (!value.starts_with("299 ") || value.size() > kMaxWarningBytes) return {};
  const auto open = value.find('"');
  const auto close = value.rfind('"');
  if (open == std::string_view::npos || close <= open) return {};
  return printable(value.substr(open + 1, close - open - 1));
}

std::string duration_text(std::uint64_t seconds) {
  if (seconds >= 3600 && seconds % 3600 == 0) return cat(seconds / 3600, " h");
  if (seconds >= 60 && seconds % 60 == 0) return cat(seconds / 60, " min");
  return cat(seconds, " s");
}

}  // namespace

std::string host_of(const std::string& name) { return name == kHub ? std::string(kHubHost) : name; }

HttpOptions http_options(const SessionOptions& options) {
  HttpOptions http;
  http.user_agent = options.user_agent;
  http.stop = options.stop;
  http.http_proxy = options.http_proxy;
  const bool has_certs = !options.cert_dir.empty() || !options.certs_directories.empty();
  if (has_certs || options.tls_verify == SessionOptions::TlsVerify::no) {
    http.tls_for = [tls = std::make_shared<TlsByServer>(options)](const Url& url) {
      return (*tls)(url);
    };
  }
  return http;
}

Registry::Registry(std::string name, std::shared_ptr<HttpClient> http, SessionOptions options)
    : name_(std::move(name)),
      host_(host_of(name_)),
      http_(std::move(http)),
      options_(std::move(options)),
      auth_(http_,
            [this](const std::string& repository) {
              return options_.credentials ? options_.credentials(name_, repository) : std::nullopt;
            }),
      memory_(options_.cache_dir, name_) {}

std::shared_ptr<Registry> Registry::of(const std::string& name, Session& session) {
  const auto http = session.shared<HttpClient>(kHttpClientKey, [&] {
    return std::make_shared<HttpClient>(http_options(session.options()));
  });
  return session.shared<Registry>(cat("docker.registry/", name), [&] {
    return std::make_shared<Registry>(name, http, session.options());
  });
}

void Registry::saw(const oci::Descriptor& blob, const std::string& repository) {
  memory_.saw(blob.digest, repository);
  known_.has(repository, blob);
}

bool Registry::keep_for_replay(std::size_t bytes, std::size_t limit) noexcept {
  if (replay_bytes_.fetch_add(bytes) + bytes <= limit) return true;
  replay_bytes_ -= bytes;
  return false;
}

Url Registry::base() {
  const std::scoped_lock lock(base_mutex_);
  if (!base_) base_ = find_base();
  return *base_;
}

Url Registry::find_base() {
  const Url secure = Url::parse(cat("https://", host_, "/"));
  const Url plain = Url::parse(cat("http://", host_, "/"));
  const bool plain_allowed =
      options_.tls_verify == SessionOptions::TlsVerify::no ||
      (options_.tls_verify == SessionOptions::TlsVerify::by_config && secure.is_loopback());
  if (!plain_allowed) return secure;
  // Most registries of this machine speak no TLS, and nobody listens on the way: to ask them so
  // first saves what it takes to prepare TLS. Without a port, http and https are two servers.
  if (secure.is_loopback() && names_port(host_) && answers_plainly(plain)) return plain;
  try {
    (void)ping(secure);
    return secure;
  } catch (const Error& e) {
    // A certificate that does not verify (denied) is no reason to go on without any.
    if (e.code() != Errc::unavailable) throw;
    try {
      (void)ping(plain);
    } catch (const Error&) {
      throw e;
    }
    return plain;
  }
}

/// True if the server at `plain` answers http as a registry does. One that speaks TLS says 400, or
/// breaks off.
bool Registry::answers_plainly(const Url& plain) {
  try {
    const int status = ping(plain).status;
    return status == 200 || status == 401;
  } catch (const Error&) {  // the usual way tells why
    return false;
  }
}

Response Registry::ping(const Url& base) {
  Response response =
      http_->send({.url = base.resolve("/v2/"), .headers = {}, .body = {}, .attempts = 1});
  if (response.status == 401) (void)auth_.learn(response.headers, {}, {});
  return response;
}

Url Registry::url(const std::string& repository, std::string_view rest) {
  return base().resolve(cat("/v2/", repository, rest));
}

Request Registry::prepared(const Call& call, const std::string& authorization) const {
  Request request{.method = call.method,
                  .url = call.url,
                  .headers = call.headers,
                  .body = call.body,
                  .attempts = call.attempts};
  if (!authorization.empty()) request.headers.set("Authorization", authorization);
  return request;
}

std::string Registry::authorization(const Url& url, const Scopes& scopes) {
  const Url own = base();
  return url.origin() == own.origin() ? auth_.authorization(own, scopes) : "";
}

Response Registry::send(const Call& call, const Scopes& scopes) {
  for (int challenges = 0;; ++challenges) {
    const std::string used = authorization(call.url, scopes);
    Response response = http_->send(prepared(call, used));
    pass_on_warnings(response);
    const bool ours = call.url.origin() == base().origin();
    if (response.status != 401 || !ours) return response;
    if (response.url.origin() != base().origin()) return response;
    if (challenges == kMaxChallenges || !reauthenticate(response, scopes, used)) {
      const Error error = error_of(response);
      throw Error(error.code(), cat(error.what(), " (", auth_.explain_refusal(scopes), ")"),
                  error.detail());
    }
  }
}

bool Registry::reauthenticate(const Response& response, const Scopes& scopes,
                              const std::string& used) {
  if (response.url.origin() != base().origin()) return false;
  if (auth_.learn(response.headers, scopes, used)) return true;
  if (auth_.challenged()) return false;
  (void)ping(base());  // gcr.io names its token server only there
  return auth_.challenged() && auth_.learn(Headers(), scopes, used);
}

Response Registry::expect_success(const Call& call, const Scopes& scopes) {
  Response response = send(call, scopes);
  if (!succeeded(response)) throw error_of(response);
  return response;
}

std::unique_ptr<Exchange> Registry::start(const Call& call, std::optional<std::uint64_t> size,
                                          const Scopes& scopes) {
  return http_->start(prepared(call, authorization(call.url, scopes)), size);
}

Response Registry::get_elsewhere(const Url& url) {
  check_side_url(base(), url);
  return http_->send({.url = url, .headers = {}, .body = {}});
}

Url Registry::side_url(const Url& from, std::string_view reference) {
  const Url url = from.resolve(reference);
  check_side_url(base(), url);
  return url;
}

void Registry::pass_on_warnings(const Response& response) {
  tell_rate(response);
  for (const std::string_view value : response.headers.all("warning")) {
    if (const std::string text = warning_text(value); !text.empty()) warn(text);
  }
}

void Registry::tell_rate(const Response& response) {
  const auto left = parse_rate(response.headers.first("ratelimit-remaining"));
  if (!left || options_.observer == nullptr) return;
  const auto limit = parse_rate(response.headers.first("ratelimit-limit"));
  const bool few = left->count <= std::max<std::uint64_t>(5, limit ? limit->count / 10 : 0);
  {
    const std::scoped_lock lock(warnings_mutex_);
    if (few ? rate_warned_ : rate_told_) return;
    rate_told_ = true;
    rate_warned_ = rate_warned_ || few;
  }
  std::string note = cat("registry ", name_, ": ", left->count);
  if (limit) note += cat(" of ", limit->count);
  note += " pulls left";
  if (left->window_seconds > 0) note += cat(" in ", duration_text(left->window_seconds));
  options_.observer->notify(
      {.kind = few ? ProgressEvent::Kind::warning : ProgressEvent::Kind::summary,
       .item = name_,
       .label = cat("registry ", name_),
       .note = std::move(note)});
}

void Registry::warn(const std::string& text) {
  {
    const std::scoped_lock lock(warnings_mutex_);
    if (warnings_.size() >= kMaxWarnings || !warnings_.insert(text).second) return;
  }
  if (options_.observer == nullptr) return;
  options_.observer->notify({.kind = ProgressEvent::Kind::warning,
                             .item = name_,
                             .label = cat("registry ", name_),
                             .note = cat("registry ", name_, ": ", text)});
}

std::optional<Response> Registry::last_word(const std::string& method, const Url& url,
                                            const Scopes& scopes) noexcept {
  try {
    Request request = prepared({.method = method, .url = url}, authorization(url, scopes));
    request.attempts = 1;
    request.timeout = std::chrono::seconds(3);  // a courtesy: the registry sweeps by itself
    request.stop = std::stop_token();
    return http_->send(std::move(request));
  } catch (const std::exception&) {  // nobody is left to be told
    return std::nullopt;
  }
}

}  // namespace lade::docker
