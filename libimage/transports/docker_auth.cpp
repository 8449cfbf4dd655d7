#include "libimage/transports/docker_auth.h"

#include <algorithm>
#include <set>

#include "libimage/base/base64.h"
#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/transports/docker_errors.h"
#include "libimage/transports/docker_json.h"

namespace lade::docker {
namespace {

// The token specification's default; some servers give less and mean it as a hint.
constexpr std::int64_t kLeastLifetime = 60;
constexpr std::int64_t kLongestLifetime = 24 * 3600;
constexpr std::chrono::seconds kRenewEarly{10};

std::string repository_of(const Scopes& scopes) {
  if (scopes.empty()) return {};
  const std::string_view scope = scopes.front();
  if (!scope.starts_with("repository:")) return {};
  const auto first = scope.find(':');
  const auto last = scope.rfind(':');
  if (first == std::string_view::npos || last <= first) return {};
  return std::string(scope.substr(first + 1, last - first - 1));
}

std::string form_field(std::string_view name, std::string_view value) {
  return cat(name, "=", percent_encoded(value));
}

std::string joined(const Scopes& scopes, std::string_view separator) {
  std::string out;
  for (const std::string& scope : scopes) out += cat(out.empty() ? "" : separator, scope);
  return out;
}

Scopes words_of(std::string_view text) {
  Scopes words;
  for (const std::string_view word : split(text, ' ')) {
    if (!word.empty()) words.emplace_back(word);
  }
  return words;
}

std::string basic_header(const std::optional<Credentials>& credentials) {
  if (!credentials || credentials->username.empty()) return {};
  return cat("Basic ", to_base64(cat(credentials->username, ":", credentials->password)));
}

}  // namespace

std::string pull_scope(const std::string& repository) {
  return cat("repository:", repository, ":pull");
}

std::string push_scope(const std::string& repository) {
  return cat("repository:", repository, ":pull,push");
}

std::string delete_scope(const std::string& repository) {
  return cat("repository:", repository, ":*");
}

Scopes merged(const std::vector<std::string>& first, const Scopes& then) {
  std::vector<std::string> resources;
  std::map<std::string, std::set<std::string>> actions;
  for (const auto* scopes : {&first, &then}) {
    for (const std::string& scope : *scopes) {
      const auto colon = scope.rfind(':');
      const std::string resource = scope.substr(0, colon);
      if (!actions.contains(resource)) resources.push_back(resource);
      auto& known = actions[resource];
      if (colon == std::string::npos) continue;
      for (const auto action : split(std::string_view(scope).substr(colon + 1), ',')) {
        known.emplace(action);
      }
    }
  }
  Scopes out;
  for (const std::string& resource : resources) {
    std::string list;
    for (const std::string& action : actions[resource])
      list += cat(list.empty() ? "" : ",", action);
    out.push_back(list.empty() ? resource : cat(resource, ":", list));
  }
  return out;
}

void check_side_url(const Url& base, const Url& url) {
  if (base.scheme == "https" && url.scheme == "http") {
    throw Error(Errc::denied, cat("the registry leads from https to ", url.redacted()));
  }
  if (!url.is_internal() || url.host == base.host) return;
  if (base.is_loopback() && url.is_loopback()) return;
  throw Error(Errc::denied, cat("the registry leads to the internal ", url.redacted()));
}

std::optional<Challenge> Authenticator::challenge() const {
  const std::scoped_lock lock(mutex_);
  return challenge_;
}

std::string Authenticator::explain_refusal(const Scopes& scopes) const {
  return credentials_for(scopes) ? "the credentials for it were refused"
                                 : "no credentials for it were given or found";
}

bool Authenticator::challenged() const { return challenge().has_value(); }

std::shared_ptr<Authenticator::TokenSlot> Authenticator::slot(const Scopes& scopes) {
  const std::scoped_lock lock(mutex_);
  std::shared_ptr<TokenSlot>& found = slots_[scopes];
  if (!found) found = std::make_shared<TokenSlot>();
  return found;
}

std::optional<Credentials> Authenticator::credentials_for(const Scopes& scopes) const {
  return get_credentials_ ? get_credentials_(repository_of(scopes)) : std::nullopt;
}

std::string Authenticator::basic(const Scopes& scopes) {
  const std::string repository = repository_of(scopes);
  {
    const std::scoped_lock lock(mutex_);
    if (const auto found = basics_.find(repository); found != basics_.end()) return found->second;
  }
  std::string header = basic_header(credentials_for(scopes));  // may run a helper: without the lock
  const std::scoped_lock lock(mutex_);
  return basics_.emplace(repository, std::move(header)).first->second;
}

std::string Authenticator::authorization(const Url& base, const Scopes& scopes) {
  const std::optional<Challenge> wanted = challenge();
  if (!wanted) return {};
  return wanted->scheme == "basic" ? basic(scopes) : bearer(base, *wanted, scopes);
}

std::string Authenticator::bearer(const Url& base, const Challenge& challenge,
                                  const Scopes& scopes) {
  const std::shared_ptr<TokenSlot> held = slot(scopes);
  const std::scoped_lock lock(held->mutex);  // others that need this token wait for its fetch
  if (held->token.empty() || Clock::now() >= held->expires) fetch(base, challenge, scopes, *held);
  return cat("Bearer ", held->token.reveal());
}

void Authenticator::fetch(const Url& base, const Challenge& challenge, const Scopes& scopes,
                          TokenSlot& slot) {
  const auto what = [&] { return cat("get a token for ", base.authority()); };
  with_context(what, [&] {
    const auto started = Clock::now();
    const std::optional<Credentials> credentials = credentials_for(scopes);
    if (credentials && !credentials->registry_token.empty()) {
      slot.token = Secret(credentials->registry_token);
      slot.expires = started + std::chrono::seconds(kLongestLifetime);
      return;
    }
    const Url realm = Url::parse(challenge.parameter("realm"));
    check_side_url(base, realm);
    const Scopes wanted = merged(slot.demanded, scopes);
    Response response = ask_token_server(realm, challenge, wanted, credentials);
    if (!succeeded(response)) {
      const Error error = error_of(response).in(realm.redacted());
      if (error.code() != Errc::unauthorized) throw error;
      throw Error(error.code(), cat(error.what(), " (", explain_refusal(scopes), ")"),
                  error.detail());
    }
    const TokenAnswer answer = parse_token(text_of(response, kMaxAnswerBytes, "the token"));
    const auto lifetime = std::clamp(answer.expires_in, kLeastLifetime, kLongestLifetime);
    slot.token = Secret(answer.token);
    slot.expires = started + std::chrono::seconds(lifetime) - kRenewEarly;
  });
}

Response Authenticator::ask_token_server(const Url& realm, const Challenge& challenge,
                                         const Scopes& scopes,
                                         const std::optional<Credentials>& credentials) {
  const std::string service = challenge.parameter("service");
  if (credentials && !credentials->identity_token.empty()) {
    std::string form = cat(form_field("grant_type", "refresh_token"), "&",
                           form_field("refresh_token", credentials->identity_token), "&",
                           form_field("client_id", "lade"), "&", form_field("service", service));
    if (!scopes.empty()) form += cat("&", form_field("scope", joined(scopes, " ")));
    Response response =
        http_->send({.method = "POST",
                     .url = realm,
                     .headers = {{"Content-Type", "application/x-www-form-urlencoded"}},
                     .body = RequestBody::of(std::move(form))});
    const bool other_way = response.status == 400 || response.status == 401 ||
                           response.status == 404 || response.status == 405;
    if (!other_way || credentials->username.empty()) return response;
  }
  Request request{.url = realm};
  if (!service.empty()) request.url = request.url.with_parameter("service", service);
  for (const std::string& scope : scopes) {
    request.url = request.url.with_parameter("scope", scope);
  }
  if (credentials && !credentials->username.empty()) {
    request.url = request.url.with_parameter("account", credentials->username);
    request.headers.add(
        "Authorization",
        cat("Basic ", to_base64(cat(credentials->username, ":", credentials->password))));
  }
  return http_->send(std::move(request));
}

bool Authenticator::learn(const Headers& answer, const Scopes& scopes, const std::string& used) {
  std::optional<Challenge> wanted;
  for (const std::string_view value : answer.all("www-authenticate")) {
    for (const Challenge& offered : parse_challenges(value)) {
      const bool known = offered.scheme == "basic" || offered.scheme == "bearer";
      if (known && !wanted) wanted = offered;
    }
  }
  if (!wanted) wanted = challenge();  // some registries send it only with their first answer
  if (!wanted) return false;
  {
    const std::scoped_lock lock(mutex_);
    challenge_ = wanted;
  }
  if (scopes.empty()) return true;  // a ping: only the challenge matters
  if (wanted->scheme == "basic") return used.empty() && !basic(scopes).empty();
  const std::shared_ptr<TokenSlot> held = slot(scopes);
  const std::scoped_lock lock(held->mutex);
  held->demanded = words_of(wanted->parameter("scope"));
  // Unless another thread has renewed it meanwhile.
  if (used == cat("Bearer ", held->token.reveal())) held->token = Secret();
  return true;
}

}  // namespace lade::docker
