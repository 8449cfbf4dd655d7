#include "libimage/http/http_client.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <map>
#include <set>
#include <vector>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/http/origin_window.h"
#include "libimage/http/transfer_loop.h"

namespace lade {
namespace {

/// The answer's body; a share of the loop keeps the thread alive that fills it.
class ResponseSource final : public Source {
 public:
  ResponseSource(std::shared_ptr<TransferLoop> loop, std::shared_ptr<Transfer> transfer,
                 std::stop_token stop)
      : loop_(std::move(loop)), transfer_(std::move(transfer)), stop_(std::move(stop)) {}
  ~ResponseSource() override { loop_->abort(transfer_); }
  ResponseSource(const ResponseSource&) = delete;
  ResponseSource& operator=(const ResponseSource&) = delete;

  std::size_t read(std::span<std::byte> out) override {
    if (at_ == current_.size()) {
      if (transfer_->pull(current_, stop_)) loop_->resume(transfer_);
      at_ = 0;
    }
    const std::size_t count = std::min(out.size(), current_.size() - at_);
    std::copy_n(current_.data() + at_, count, out.data());
    at_ += count;
    return count;
  }

 private:
  std::shared_ptr<TransferLoop> loop_;
  std::shared_ptr<Transfer> transfer_;
  std::stop_token stop_;
  std::vector<std::byte> current_;
  std::size_t at_ = 0;
};

class OwningStringSource final : public Source {
 public:
  explicit OwningStringSource(std::shared_ptr<const std::string> text)
      : text_(std::move(text)), source_(*text_) {}
  std::size_t read(std::span<std::byte> out) override { return source_.read(out); }

 private:
  std::shared_ptr<const std::string> text_;
  StringSource source_;
};

bool is_worth_retrying(int status) {
  switch (status) {
    case 408:
    case 429:
    case 499:  // nginx: the client, or a proxy before it, went away
    case 500:
    case 502:
    case 503:
    case 504:
    case 522:  // Cloudflare: no connection to the origin
      return true;
    default:
      return false;
  }
}

/// True if the origin works, and wants fewer requests.
bool asks_for_less(const Response& response) {
  return response.status == 429 ||
         (response.status == 503 && response.headers.first("retry-after").has_value());
}

bool is_redirect(const Request& request, int status) {
  if (status == 307 || status == 308) return true;
  const bool reads = request.method == "GET" || request.method == "HEAD";
  return reads && (status == 301 || status == 302 || status == 303);
}

/// True if no connection, or no TLS, came about. Mostly the name or the port is wrong.
bool never_connected(const Error& error) {
  const auto* detail = std::get_if<ErrnoDetail>(&error.detail());
  return detail != nullptr && (detail->value == ECONNREFUSED || detail->value == EHOSTUNREACH ||
                               detail->value == ETIMEDOUT || detail->value == EPROTO);
}

// Reads a short rest of the body, so that the connection can be used again.
void drop_body(Response& response) {
  constexpr std::size_t kLongestRest = std::size_t{64} * 1024;
  try {
    read_all(*response.body, kLongestRest, "body");
  } catch (const Error&) {
    response.body.reset();
  }
}

}  // namespace

struct HttpClient::State {
  using Clock = std::chrono::steady_clock;
  std::mutex mutex;
  std::shared_ptr<TransferLoop> loop;                            // guarded by mutex
  std::map<std::string, Clock::time_point> not_before;           // guarded by mutex; by origin
  std::set<std::string> answered;                                // guarded by mutex; origins
  std::map<std::string, std::unique_ptr<OriginWindow>> windows;  // guarded by mutex; by origin

  OriginWindow& window(const std::string& origin, unsigned limit) {
    const std::scoped_lock lock(mutex);
    auto& found = windows[origin];
    if (!found) found = std::make_unique<OriginWindow>(static_cast<double>(limit));
    return *found;
  }

  void note_answer(const std::string& origin) {
    const std::scoped_lock lock(mutex);
    answered.insert(origin);
  }
  bool has_answered(const std::string& origin) {
    const std::scoped_lock lock(mutex);
    return answered.contains(origin);
  }
  void pause(const std::string& origin, std::chrono::milliseconds delay) {
    const std::scoped_lock lock(mutex);
    auto& until = not_before[origin];
    until = std::max(until, Clock::now() + delay);
  }
  std::chrono::milliseconds pause_left(const std::string& origin) {
    const std::scoped_lock lock(mutex);
    const auto found = not_before.find(origin);
    if (found == not_before.end()) return std::chrono::milliseconds(0);
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(found->second - Clock::now());
    if (left.count() <= 0) not_before.erase(found);
    return left;
  }
};

RequestBody RequestBody::of(std::string content) {
  const auto shared = std::make_shared<const std::string>(std::move(content));
  return {.open = [shared] { return std::make_unique<OwningStringSource>(shared); },
          .size = shared->size()};
}

int Response::retry_after_seconds() const {
  const auto value = headers.first("retry-after");
  const auto seconds = value ? parse_decimal(trimmed(*value)) : std::nullopt;
  return seconds ? static_cast<int>(std::min<std::uint64_t>(*seconds, 86'400)) : -1;
}

Exchange::Exchange(std::shared_ptr<TransferLoop> loop, std::shared_ptr<Transfer> transfer, Url url,
                   std::stop_token stop)
    : loop_(std::move(loop)),
      transfer_(std::move(transfer)),
      url_(std::move(url)),
      stop_(std::move(stop)) {}

Exchange::~Exchange() {
  if (transfer_) loop_->abort(transfer_);
}

void Exchange::write(ByteView data) {
  if (transfer_->push(data, stop_)) loop_->resume(transfer_);
}

void Exchange::finish() {
  if (transfer_->end_body()) loop_->resume(transfer_);
}

bool Exchange::answered() const { return transfer_->answered(); }

Response Exchange::response() {
  transfer_->wait_for_headers(stop_);
  finish();  // libcurl takes no answer for ended while a request's body is held back
  Response response{.status = transfer_->status(),
                    .headers = transfer_->headers(),
                    .url = url_,
                    .body = std::make_unique<ResponseSource>(loop_, transfer_, stop_)};
  transfer_.reset();
  return response;
}

HttpClient::HttpClient(HttpOptions options)
    : options_(std::move(options)), state_(std::make_unique<State>()) {}

HttpClient::~HttpClient() = default;

std::shared_ptr<TransferLoop> HttpClient::loop() {
  const std::scoped_lock lock(state_->mutex);
  if (!state_->loop) state_->loop = std::make_shared<TransferLoop>(options_);
  return state_->loop;
}

std::unique_ptr<Exchange> HttpClient::start(const Request& request,
                                            std::optional<std::uint64_t> size) {
  const std::stop_token stop = request.stop.value_or(options_.stop);
  if (stop.stop_requested()) throw Cancelled();
  const TlsOptions tls = options_.tls_for ? options_.tls_for(request.url) : TlsOptions{};
  const Transfer::Body body = !size        ? Transfer::Body::unsized
                              : *size == 0 ? Transfer::Body::none
                                           : Transfer::Body::sized;
  const std::shared_ptr<TransferLoop> driver = loop();
  auto transfer = std::make_shared<Transfer>(request, body, size.value_or(0), options_, tls);
  driver->submit(transfer);
  return std::make_unique<Exchange>(driver, std::move(transfer), request.url, stop);
}

Response HttpClient::send_once(const Request& request) {
  const std::unique_ptr<Exchange> exchange =
      start(request, request.body ? request.body->size : std::uint64_t{0});
  if (request.body) {
    const std::unique_ptr<Source> source = request.body->open();
    std::vector<std::byte> buffer(
        static_cast<std::size_t>(std::clamp<std::uint64_t>(request.body->size, 1, kChunkBytes)));
    while (!exchange->answered()) {
      const std::size_t got = source->read(buffer);
      if (got == 0) break;
      exchange->write(std::span(buffer).first(got));
    }
  }
  exchange->finish();
  return exchange->response();
}

Response HttpClient::send_and_follow(Request request) {
  for (unsigned hops = 0;; ++hops) {
    Response response = send_once(request);
    const auto location = response.headers.first("location");
    if (!is_redirect(request, response.status) || !location) return response;
    const std::string from = request.url.redacted();
    if (hops == options_.max_redirects) {
      throw Error(Errc::limit_exceeded, cat(request.method, " ", from, ": more than ",
                                            options_.max_redirects, " redirects"));
    }
    const Url next = with_context([&] { return cat(request.method, " ", from, ": redirect"); },
                                  [&] { return request.url.resolve(*location); });
    if (request.url.scheme == "https" && next.scheme == "http") {
      throw Error(Errc::denied,
                  cat(request.method, " ", from, ": redirected from https to ", next.redacted()));
    }
    if (next.is_internal() && !request.url.is_internal()) {
      throw Error(Errc::denied,
                  cat(request.method, " ", from, ": redirected to the internal ", next.redacted()));
    }
    // Never put back, even if a later redirect returns to the first origin.
    if (next.origin() != request.url.origin()) request.headers.remove("authorization");
    drop_body(response);
    request.url = next;
  }
}

Response HttpClient::send_in_window(const Request& request, const std::stop_token& stop) {
  OriginWindow& window = state_->window(request.url.origin(), options_.requests_per_host);
  OriginWindow::Place place = window.enter(stop);
  Response response = send_and_follow(request);
  if (asks_for_less(response)) {
    place.refused();
  } else {
    place.answered();
  }
  return response;
}

Response HttpClient::send(Request request) {
  const unsigned attempts = request.attempts != 0 ? request.attempts : options_.retry.attempts;
  const std::stop_token stop = request.stop.value_or(options_.stop);
  const std::string origin = request.url.origin();
  const auto patience =
      attempts > 1 ? options_.patience : std::chrono::milliseconds(0);  // 1: the caller decides
  std::chrono::milliseconds waited{0};
  unsigned sent = 0;
  for (unsigned attempt = 1;; ++attempt) {
    if (const auto left = state_->pause_left(origin); left.count() > 0) {
      wait_before_retry(options_.retry, left, stop);
    }
    std::optional<Error> failure;
    bool slow_down = false;
    try {
      Response response = send_in_window(request, stop);
      ++sent;
      state_->note_answer(origin);
      response.attempts = sent;
      slow_down = asks_for_less(response) && waited < patience;
      if (!is_worth_retrying(response.status) || (attempt >= attempts && !slow_down)) {
        return response;
      }
      const int pause = response.retry_after_seconds();
      failure.emplace(Errc::unavailable, cat("status ", response.status),
                      HttpDetail{.status = response.status, .retry_after_seconds = pause});
      drop_body(response);
    } catch (const Error& e) {
      ++sent;
      if (!may_succeed_later(e)) throw;
      const bool hopeless = attempt > 1 && never_connected(e) && !state_->has_answered(origin);
      if (attempt >= attempts || hopeless) throw sent > 1 ? e.as_final() : e;
      failure = e;
    }
    const auto delay = wait_after(*failure, sent);
    waited += delay;
    if (slow_down) --attempt;  // bounded by the patience
    const auto* detail = std::get_if<HttpDetail>(&failure->detail());
    if (detail != nullptr && detail->retry_after_seconds >= 0) {
      state_->pause(origin, delay);  // the next attempt, of any thread, waits for it
    } else {
      wait_before_retry(options_.retry, delay, stop);
    }
  }
}

/// At least what is due without a Retry-After: one of 0 would be followed for ever.
std::chrono::milliseconds HttpClient::wait_after(const Error& failure, unsigned attempt) const {
  const auto asked = delay_after(options_.retry, attempt, failure);
  if (attempt < options_.retry.attempts) return asked;
  const auto due = delay_after(options_.retry, attempt, Error(failure.code(), failure.what()));
  return std::max(asked, due);
}

}  // namespace lade
