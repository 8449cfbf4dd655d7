#include "libimage/transports/engine_client.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include <sys/stat.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/io/path.h"
#include "libimage/transports/engine_json.h"

namespace lade::engine {
namespace {

constexpr std::string_view kUnix = "unix://";
constexpr std::string_view kTcp = "tcp://";
constexpr std::uint64_t kMaxAnswerBytes = std::uint64_t{4} * 1024 * 1024;
constexpr std::uint64_t kMaxPemBytes = std::uint64_t{1024} * 1024;
// An engine is silent while it unpacks what was loaded, or gathers what is to be saved.
constexpr std::chrono::milliseconds kPatience = std::chrono::hours(6);

/// libcurl would only say that it could not connect.
void check_socket(const std::string& path) {
  struct stat st {};
  if (::stat(path.c_str(), &st) != 0) throw_errno("is it running?");
  if (!S_ISSOCK(st.st_mode)) throw Error(Errc::invalid_argument, "it is no socket");
}

/// ca.pem, cert.pem and key.pem, as docker's own client has them.
TlsOptions tls_of(const SessionOptions& options) {
  TlsOptions tls;
  if (options.tls_verify == SessionOptions::TlsVerify::no) tls.verify = TlsOptions::Verify::no;
  if (options.cert_dir.empty()) return tls;
  const auto file = [&](std::string_view name) { return cat(options.cert_dir, "/", name); };
  if (path_exists(file("ca.pem"))) tls.ca_pem = read_file(file("ca.pem"), kMaxPemBytes);
  const bool has_cert = path_exists(file("cert.pem"));
  if (has_cert != path_exists(file("key.pem"))) {
    throw Error(Errc::invalid_content, cat("certificates in ", quoted(options.cert_dir),
                                           ": cert.pem and key.pem belong together"));
  }
  if (has_cert) {
    tls.client_cert_file = file("cert.pem");
    tls.client_key_file = file("key.pem");
  }
  return tls;
}

HttpOptions http_of(const SessionOptions& options) {
  HttpOptions http;
  http.user_agent = options.user_agent;
  http.stop = options.stop;
  http.reply_timeout = kPatience;
  http.low_speed_time = kPatience;
  http.max_redirects = 0;
  http.retry.attempts = 1;
  return http;
}

/// "1.41"
bool is_version(std::string_view text) {
  const std::size_t dot = text.find('.');
  return text.size() < 10 && dot != std::string_view::npos &&
         parse_decimal(text.substr(0, dot)).has_value() &&
         parse_decimal(text.substr(dot + 1)).has_value();
}

}  // namespace

/// The body of a load, sent while it is written.
class LoadSink final : public Sink {
 public:
  explicit LoadSink(EngineClient& client) : client_(client) {}

  void write(ByteView data) override {
    with_context([&] { return client_.context("load"); },
                 [&] {
                   if (!exchange_) start();
                   // An answer before the end of the body is a refusal.
                   if (exchange_->answered()) {
                     conclude();
                     throw Error(Errc::unavailable, "the engine answered before it had the image");
                   }
                   exchange_->write(data);
                 });
  }

  void finish() override {
    with_context([&] { return client_.context("load"); },
                 [&] {
                   if (!exchange_) start();
                   exchange_->finish();
                   conclude();
                 });
  }

 private:
  void start() {
    Request request = client_.request("POST", "/images/load?quiet=1");
    request.headers.set("Content-Type", "application/x-tar");
    exchange_ = client_.http_->start(request, std::nullopt);
  }

  void conclude() {
    Response response = exchange_->response();
    EngineClient::check(response);
    const std::string body = read_all(*response.body, kMaxAnswerBytes, "the engine's answer");
    if (const std::string failure = parse_load_failure(body); !failure.empty()) {
      throw Error(Errc::command_failed, failure);
    }
  }

  EngineClient& client_;
  std::unique_ptr<Exchange> exchange_;
};

EngineClient::EngineClient(const SessionOptions& options) : host_(options.daemon_host) {
  HttpOptions http = http_of(options);
  const std::string_view host = host_;
  if (host.starts_with(kUnix)) {
    http.unix_socket = host.substr(kUnix.size());
    if (!http.unix_socket.starts_with('/')) {
      throw Error(Errc::invalid_argument, cat("engine ", quoted(host_), ": no path of a socket"));
    }
    base_ = Url::parse("http://localhost");
  } else if (host.starts_with(kTcp)) {
    base_ = Url::parse(cat("https://", host.substr(kTcp.size())));
  } else if (host.starts_with("https://") || host.starts_with("http://")) {
    base_ = Url::parse(host);
  } else {
    throw Error(Errc::unsupported,
                cat("engine ", quoted(host_),
                    ": an address is unix://PATH, tcp://HOST:PORT, https:// or http://"));
  }
  if (base_.path.ends_with('/')) base_.path.pop_back();
  if (base_.scheme == "https") {
    http.tls_for = [tls = tls_of(options)](const Url&) { return tls; };
  }
  http_ = std::make_unique<HttpClient>(std::move(http));
  with_context([&] { return context("ping"); },
               [&] {
                 if (const std::string& path = http_->options().unix_socket; !path.empty()) {
                   check_socket(path);
                 }
                 find_version();
               });
}

std::string EngineClient::context(std::string_view what) const {
  return cat(what, ": docker engine at ", quoted(host_));
}

Request EngineClient::request(std::string method, const std::string& path) const {
  Request request{.method = std::move(method), .url = base_};
  const std::string whole = cat(base_.path, version_, path);
  const std::size_t question = whole.find('?');
  request.url.path = whole.substr(0, question);
  if (question != std::string::npos) request.url.query = whole.substr(question + 1);
  request.attempts = 1;
  return request;
}

void EngineClient::check(Response& response) {
  if (response.status >= 200 && response.status < 300) return;
  const std::string body = read_all(*response.body, kMaxAnswerBytes, "the engine's answer");
  const Errc code = response.status == 404                             ? Errc::not_found
                    : response.status == 401 || response.status == 403 ? Errc::denied
                    : response.status == 400                           ? Errc::invalid_argument
                                                                       : Errc::command_failed;
  throw Error(code, cat("status ", response.status, ": ", parse_message(body)),
              HttpDetail{.status = response.status});
}

void EngineClient::find_version() {
  Response response = http_->send(request("GET", "/_ping"));
  check(response);
  (void)read_all(*response.body, kMaxAnswerBytes, "the engine's answer");
  // The engine's own: these requests have not changed since version 1.12.
  const std::string version(trimmed(response.headers.first("Api-Version").value_or("")));
  if (is_version(version)) version_ = cat("/v", version);
}

bool EngineClient::has_image(const std::string& name) {
  return with_context([&] { return context(cat("look for ", quoted(name))); },
                      [&] {
                        Response response =
                            http_->send(request("GET", cat("/images/", name, "/json")));
                        if (response.status == 404) return false;
                        check(response);
                        drain(*response.body);
                        return true;
                      });
}

std::unique_ptr<Source> EngineClient::save(const std::string& name) {
  return with_context([&] { return context(cat("save ", quoted(name))); },
                      [&] {
                        Response response = http_->send(
                            request("GET", cat("/images/get?names=", percent_encoded(name))));
                        check(response);
                        return std::move(response.body);
                      });
}

std::unique_ptr<Sink> EngineClient::load() { return std::make_unique<LoadSink>(*this); }

}  // namespace lade::engine
