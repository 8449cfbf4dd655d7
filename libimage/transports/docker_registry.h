/// One registry as all readers and writers of a command share it.
#pragma once
#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "libimage/http/http_client.h"
#include "libimage/store/store.h"
#include "libimage/transports/docker_auth.h"
#include "libimage/transports/docker_known.h"
#include "libimage/transports/docker_memory.h"

namespace lade::docker {

/// How this session talks HTTP: user agent, TLS and certificates, cancellation. The session keeps
/// its client under kHttpClientKey; tests may put another there first.
HttpOptions http_options(const SessionOptions& options);
inline constexpr const char* kHttpClientKey = "docker.http";

/// The host[:port] that serves the registry called `name` in references.
std::string host_of(const std::string& name);

/// A request to the registry. Authorization is added where `url` has the registry's origin.
struct Call {
  std::string method = "GET";
  Url url;
  Headers headers = {};
  std::optional<RequestBody> body = {};
  unsigned attempts = 0;  ///< as Request::attempts
};

class Registry {
 public:
  /// `name` is "host[:port]" as in references; "docker.io" is served by another host.
  Registry(std::string name, std::shared_ptr<HttpClient> http, SessionOptions options);

  /// The session's object for `name`.
  static std::shared_ptr<Registry> of(const std::string& name, Session& session);

  [[nodiscard]] const std::string& name() const noexcept { return name_; }
  [[nodiscard]] const RetryPolicy& retry() const noexcept { return http_->options().retry; }
  [[nodiscard]] const std::stop_token& stop() const noexcept { return options_.stop; }

  /// scheme://host:port. Where plain http is allowed (a loopback registry, or no verification asked
  /// for) the first call finds out whether the registry speaks TLS.
  Url base();
  /// base + "/v2/" + `repository` + `rest`.
  Url url(const std::string& repository, std::string_view rest);

  /// The answer, whatever its status; 401 is answered by authenticating and asking again.
  Response send(const Call& call, const Scopes& scopes);
  /// As send(), but any status other than 2xx is thrown as error_of().
  Response expect_success(const Call& call, const Scopes& scopes);
  /// Begins a request whose body the caller pushes; a 401 is the caller's.
  std::unique_ptr<Exchange> start(const Call& call, std::optional<std::uint64_t> size,
                                  const Scopes& scopes);
  /// For that 401: true if the request may succeed when it is repeated.
  bool reauthenticate(const Response& response, const Scopes& scopes, const std::string& used);
  /// The header that start() would send now.
  std::string authorization(const Url& url, const Scopes& scopes);

  /// GET without any credentials, from where the registry's content says; throws Error{denied} as
  /// check_side_url() does.
  Response get_elsewhere(const Url& url);

  /// The URL that a Location or Link of the registry names; throws Error{denied} as
  /// check_side_url() does.
  Url side_url(const Url& from, std::string_view reference);
  /// Passes the registry's warnings on, each once (distribution-spec v1.1.1, "Warnings").
  void pass_on_warnings(const Response& response);
  void warn(const std::string& text);
  /// Tells once how many pulls the registry grants (Docker Hub's ratelimit-remaining), and warns
  /// when few are left.
  void tell_rate(const Response& response);
  /// One request without waiting long, and even when the session is stopped; nullopt if it fails.
  std::optional<Response> last_word(const std::string& method, const Url& url,
                                    const Scopes& scopes) noexcept;
  /// DELETE as last_word().
  void forget(const Url& url, const Scopes& scopes) noexcept {
    (void)last_word("DELETE", url, scopes);
  }
  /// Takes `bytes` of the `limit` that all uploads may keep together; false if they are used up.
  bool keep_for_replay(std::size_t bytes, std::size_t limit) noexcept;
  void drop_from_replay(std::size_t bytes) noexcept { replay_bytes_ -= bytes; }
  /// Whether there is a referrers API at all. `asking` is held by who finds out; others wait then.
  struct ReferrersApi {
    enum class State { unknown, there, lacking };
    std::atomic<State> state = State::unknown;
    std::mutex asking;
  };
  ReferrersApi& referrers_api() noexcept { return referrers_api_; }
  /// What is known of this registry from earlier commands.
  Memory& memory() noexcept { return memory_; }
  /// What this session has learnt of its repositories.
  KnownBlobs& known() noexcept { return known_; }
  /// Notes that the repository has the blob, for this command and the next.
  void saw(const oci::Descriptor& blob, const std::string& repository);

 private:
  Url find_base();
  bool answers_plainly(const Url& plain);
  Response ping(const Url& base);
  Request prepared(const Call& call, const std::string& authorization) const;

  std::string name_;
  std::string host_;
  std::shared_ptr<HttpClient> http_;
  SessionOptions options_;
  Authenticator auth_;
  Memory memory_;
  KnownBlobs known_;
  std::atomic<std::size_t> replay_bytes_ = 0;
  ReferrersApi referrers_api_;
  std::mutex base_mutex_;
  std::optional<Url> base_;  // guarded by base_mutex_
  std::mutex warnings_mutex_;
  std::set<std::string> warnings_;  // guarded by warnings_mutex_
  bool rate_told_ = false;          // guarded by warnings_mutex_
  bool rate_warned_ = false;        // guarded by warnings_mutex_
};

}  // namespace lade::docker
