/// HTTP/1.1 and HTTP/2 requests. One thread drives all transfers of a client; callers wait on their
/// own threads, and both directions are streamed with bounded buffers.
#pragma once
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

#include "libimage/http/headers.h"
#include "libimage/http/url.h"
#include "libimage/io/stream.h"
#include "libimage/task/retry.h"

namespace lade {

/// How to talk TLS to one host. The system's CAs are always trusted as well.
struct TlsOptions {
  enum class Verify { yes, no };
  Verify verify = Verify::yes;
  std::string ca_pem = {};            ///< further CAs, PEM text
  std::string client_cert_file = {};  ///< PEM; with client_key_file
  std::string client_key_file = {};
};

struct HttpOptions {
  std::string user_agent = "lade";
  std::chrono::milliseconds connect_timeout{10'000};  ///< with the TLS handshake
  /// A transfer that moves fewer bytes a second for `low_speed_time`, without waiting for the
  /// caller, fails as unavailable.
  std::uint64_t low_speed_bytes = 1024;
  std::chrono::milliseconds low_speed_time{30'000};
  /// The wait for an answer to a request whose body is sent: registries hash and move what they
  /// got.
  std::chrono::milliseconds reply_timeout{300'000};
  unsigned max_redirects = 5;
  /// Large, because a caller may hold a slow download open while it needs another connection.
  unsigned connections_per_host = 64;
  RetryPolicy retry = {};
  /// How long a request waits in all for an origin that says 429, or 503 with Retry-After: such an
  /// answer is no failure, but a request to slow down.
  std::chrono::milliseconds patience{600'000};
  /// Requests at once to one origin that has not asked for less.
  unsigned requests_per_host = 64;
  /// Asked before each request and redirect; empty: defaults.
  std::function<TlsOptions(const Url&)> tls_for = {};
  /// Every request goes to this socket, whatever host its URL names; "": to that host.
  std::string unix_socket = {};
  /// Proxy for plain http; "": what libcurl finds in the environment (http_proxy, HTTPS_PROXY,
  /// ALL_PROXY...), as always for https. NO_PROXY counts for both, and loopback is reached without.
  std::string http_proxy = {};
  std::stop_token stop = {};
};

/// A request's content. `open` is called once for each attempt.
struct RequestBody {
  std::function<std::unique_ptr<Source>()> open;
  std::uint64_t size = 0;
  static RequestBody of(std::string content);
};

struct Request {
  std::string method = "GET";
  Url url;
  Headers headers = {};
  std::optional<RequestBody> body = {};
  unsigned attempts = 0;                     ///< 0: as the client's RetryPolicy says
  std::chrono::milliseconds timeout{0};      ///< for the whole exchange; 0: none
  std::optional<std::stop_token> stop = {};  ///< instead of the client's, e.g. to clean up
};

/// The answer, when its headers are here. Destroying it drops the rest of the body.
struct Response {
  int status = 0;
  Headers headers;
  Url url;  ///< who answered, after redirects
  std::unique_ptr<Source> body;
  unsigned attempts = 1;  ///< how often the request was sent for it

  /// Retry-After in seconds; -1 if absent or a date.
  [[nodiscard]] int retry_after_seconds() const;
};

/// Largest header section that is read.
inline constexpr std::size_t kMaxHeaderBytes = std::size_t{64} * 1024;

class Transfer;
class TransferLoop;

/// A request whose body the caller pushes. Destroyed early, the transfer is aborted.
class Exchange final : public Sink {
 public:
  Exchange(std::shared_ptr<TransferLoop> loop, std::shared_ptr<Transfer> transfer, Url url,
           std::stop_token stop);
  ~Exchange() override;
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  /// Waits while the buffer is full. What is written after an answer has come is dropped. Throws
  /// the transfer's failure, or Cancelled.
  void write(ByteView data) override;
  /// The body is complete.
  void finish() override;
  /// True if the server has answered (perhaps before it read everything).
  [[nodiscard]] bool answered() const;
  /// Waits for the answer. Call once.
  Response response();

 private:
  std::shared_ptr<TransferLoop> loop_;
  std::shared_ptr<Transfer> transfer_;
  Url url_;
  std::stop_token stop_;
};

/// Thread-safe. Nothing is started before the first request.
class HttpClient {
 public:
  explicit HttpClient(HttpOptions options);
  ~HttpClient();
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  /// Sends the request and returns the answer, whatever its status, once its headers are here.
  /// Failed connections and 408, 429, 499, 500, 502, 503, 504, 522 are tried again as RetryPolicy
  /// says, but only once where nobody can be reached at an origin that never answered; an origin
  /// that asked for a pause (Retry-After) gets it from every thread, and fewer requests at once.
  /// Redirects are followed:
  /// of GET and HEAD always, of other methods for 307 and 308; Authorization is dropped for good
  /// when the origin changes, and https never leads to http. Throws Error{unavailable, denied
  /// (TLS), limit_exceeded, ...}, final if it was tried again, or Cancelled.
  Response send(Request request);

  /// One attempt of a request whose body, of `size` bytes or unknown, the caller pushes; redirects
  /// are not followed. A body of unknown or large size waits for the server's "100 Continue".
  std::unique_ptr<Exchange> start(const Request& request, std::optional<std::uint64_t> size);

  [[nodiscard]] const HttpOptions& options() const noexcept { return options_; }

 private:
  struct State;
  Response send_once(const Request& request);
  Response send_and_follow(Request request);
  [[nodiscard]] std::chrono::milliseconds wait_after(const Error& failure, unsigned attempt) const;
  Response send_in_window(const Request& request, const std::stop_token& stop);
  std::shared_ptr<TransferLoop> loop();
  HttpOptions options_;
  std::unique_ptr<State> state_;
};

}  // namespace lade
