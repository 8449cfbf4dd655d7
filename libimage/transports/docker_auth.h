#pragma once
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "libimage/base/secret.h"
#include "libimage/http/http_client.h"
#include "libimage/store/store.h"
#include "libimage/transports/docker_challenge.h"

namespace lade::docker {

/// Rights asked for, each "repository:NAME:pull,push". The first one's repository is whose
/// credentials are used.
using Scopes = std::vector<std::string>;

std::string pull_scope(const std::string& repository);
std::string push_scope(const std::string& repository);
/// Every right: Quay refuses requests that name `delete`.
std::string delete_scope(const std::string& repository);

/// Scopes with the actions of one resource put together, those of `first` in front: some token
/// servers read only the first.
Scopes merged(const std::vector<std::string>& first, const Scopes& then);

/// Throws Error{denied} if a server at `base` may not lead us to `url`: from https to http, or to
/// an address of an internal network that is not the server's own (loopback registries may name
/// loopback servers).
void check_side_url(const Url& base, const Url& url);

/// Who we are for one registry: answers its challenges, keeps its tokens. Thread-safe; a token is
/// fetched once, however many threads need it.
class Authenticator {
 public:
  using GetCredentials = std::function<std::optional<Credentials>(const std::string& repository)>;
  Authenticator(std::shared_ptr<HttpClient> http, GetCredentials credentials)
      : http_(std::move(http)), get_credentials_(std::move(credentials)) {}

  /// The Authorization header for a request to `base` (the registry itself, never another host);
  /// "" if none is needed as far as we know.
  std::string authorization(const Url& base, const Scopes& scopes);

  /// After an answer 401 to a request that was sent with `used`: learns what the registry wants.
  /// False: to ask again would not help.
  bool learn(const Headers& answer, const Scopes& scopes, const std::string& used);

  /// Why a 401 remains: for people.
  std::string explain_refusal(const Scopes& scopes) const;

  /// True once a challenge of the registry is known.
  [[nodiscard]] bool challenged() const;

 private:
  using Clock = std::chrono::steady_clock;
  struct TokenSlot {
    std::mutex mutex;
    Secret token;                       // guarded by mutex
    Clock::time_point expires{};        // guarded by mutex
    std::vector<std::string> demanded;  // guarded by mutex: scopes that a challenge asked for
  };

  std::optional<Challenge> challenge() const;
  std::shared_ptr<TokenSlot> slot(const Scopes& scopes);
  std::optional<Credentials> credentials_for(const Scopes& scopes) const;
  std::string basic(const Scopes& scopes);
  std::string bearer(const Url& base, const Challenge& challenge, const Scopes& scopes);
  void fetch(const Url& base, const Challenge& challenge, const Scopes& scopes, TokenSlot& slot);
  Response ask_token_server(const Url& realm, const Challenge& challenge, const Scopes& scopes,
                            const std::optional<Credentials>& credentials);

  std::shared_ptr<HttpClient> http_;
  GetCredentials get_credentials_;
  mutable std::mutex mutex_;
  std::optional<Challenge> challenge_;                  // guarded by mutex_
  std::map<Scopes, std::shared_ptr<TokenSlot>> slots_;  // guarded by mutex_
  std::map<std::string, std::string> basics_;           // guarded by mutex_: headers by repository
};

}  // namespace lade::docker
