#include "libimage/http/transfer.h"

#include <algorithm>
#include <cstring>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/http/curl_error.h"

namespace lade {
namespace {

constexpr std::size_t kBufferBytes = std::size_t{512} << 10;  // in each direction
// Bytes are queued in pieces of this size, whose memory is used again: fresh pages cost more than
// copying does.
constexpr std::size_t kPieceBytes = std::size_t{256} * 1024;
constexpr std::size_t kMaxSpares = 2;
// Larger bodies ask first ("Expect: 100-continue"), so that a refusal does not cost their upload.
constexpr std::uint64_t kAskFirstBytes = std::uint64_t{1} << 20;

}  // namespace

Transfer::Transfer(const Request& request, Body body, std::uint64_t size,
                   const HttpOptions& options, const TlsOptions& tls)
    : curl_(curl_api()),
      what_(cat(request.method, " ", request.url.redacted())),
      has_body_(body != Body::none),
      low_speed_bytes_(options.low_speed_bytes),
      low_speed_time_(options.low_speed_time),
      reply_timeout_(options.reply_timeout) {
  easy_ = curl_.easy_init();
  if (easy_ == nullptr) throw Error(Errc::internal, "libcurl gives no handle");
  const auto set = [&](CURLoption option, auto value) { curl_.easy_setopt(easy_, option, value); };
  set(CURLOPT_URL, request.url.str().c_str());
  set(CURLOPT_PROTOCOLS_STR, "http,https");
  set(CURLOPT_NOSIGNAL, 1L);
  set(CURLOPT_HTTP_VERSION, long{CURL_HTTP_VERSION_2TLS});
  set(CURLOPT_PIPEWAIT, 1L);
  set(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  set(CURLOPT_TCP_KEEPALIVE, 1L);
  set(CURLOPT_BUFFERSIZE, 256L * 1024);
  set(CURLOPT_UPLOAD_BUFFERSIZE, 256L * 1024);
  set(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(options.connect_timeout.count()));
  if (request.timeout.count() > 0) {
    set(CURLOPT_TIMEOUT_MS, static_cast<long>(request.timeout.count()));
  }
  set(CURLOPT_USERAGENT, options.user_agent.c_str());
  set(CURLOPT_ERRORBUFFER, error_text_.data());
  if (!options.unix_socket.empty()) {
    set(CURLOPT_UNIX_SOCKET_PATH, options.unix_socket.c_str());
  } else if (!options.http_proxy.empty() && request.url.scheme == "http") {
    set(CURLOPT_PROXY, options.http_proxy.c_str());
  }
  // A proxy from the environment can not reach this machine's loopback.
  if (request.url.is_loopback()) set(CURLOPT_NOPROXY, "*");
  set(CURLOPT_HEADERFUNCTION, &Transfer::on_header);
  set(CURLOPT_HEADERDATA, static_cast<void*>(this));
  set(CURLOPT_WRITEFUNCTION, &Transfer::on_body);
  set(CURLOPT_WRITEDATA, static_cast<void*>(this));
  set(CURLOPT_READFUNCTION, &Transfer::on_read);
  set(CURLOPT_READDATA, static_cast<void*>(this));
  set(CURLOPT_PREREQFUNCTION, &Transfer::on_ready);
  set(CURLOPT_PREREQDATA, static_cast<void*>(this));
  set_method(request, body, size);
  set_headers(request, body, size);
  set_tls(tls);
}

Transfer::~Transfer() {
  curl_.easy_cleanup(easy_);
  curl_.slist_free_all(request_headers_);
}

void Transfer::set_method(const Request& request, Body body, std::uint64_t size) {
  if (request.method == "HEAD") {
    curl_.easy_setopt(easy_, CURLOPT_NOBODY, 1L);
    return;
  }
  if (request.method == "GET" && body == Body::none) return;
  const bool upload = body != Body::none || request.method == "POST" || request.method == "PUT" ||
                      request.method == "PATCH";
  if (upload) {
    const curl_off_t bytes = body == Body::unsized ? -1 : static_cast<curl_off_t>(size);
    curl_.easy_setopt(easy_, CURLOPT_UPLOAD, 1L);
    curl_.easy_setopt(easy_, CURLOPT_INFILESIZE_LARGE, bytes);
  }
  curl_.easy_setopt(easy_, CURLOPT_CUSTOMREQUEST, request.method.c_str());
}

void Transfer::set_headers(const Request& request, Body body, std::uint64_t size) {
  const auto append = [&](const std::string& line) {
    curl_slist* longer = curl_.slist_append(request_headers_, line.c_str());
    if (longer == nullptr) throw Error(Errc::internal, "libcurl takes no header");
    request_headers_ = longer;
  };
  for (const Headers::Field& field : request.headers.fields()) {
    // libcurl takes "Name;" for an empty value; "Name:" would remove the header.
    append(field.value.empty() ? cat(field.name, ";") : cat(field.name, ": ", field.value));
  }
  const bool ask_first = body == Body::unsized || size > kAskFirstBytes;
  if (!ask_first) append("Expect:");
  curl_.easy_setopt(easy_, CURLOPT_HTTPHEADER, request_headers_);
}

void Transfer::set_tls(const TlsOptions& tls) {
  const bool verify = tls.verify == TlsOptions::Verify::yes;
  curl_.easy_setopt(easy_, CURLOPT_SSL_VERIFYPEER, verify ? 1L : 0L);
  curl_.easy_setopt(easy_, CURLOPT_SSL_VERIFYHOST, verify ? 2L : 0L);
  curl_.easy_setopt(easy_, CURLOPT_SSLVERSION, long{CURL_SSLVERSION_TLSv1_2});
  if (!verify) {
    // To read the system's hundred CAs costs as much as all else that a short command does.
    curl_.easy_setopt(easy_, CURLOPT_CAINFO, static_cast<const char*>(nullptr));
    curl_.easy_setopt(easy_, CURLOPT_CAPATH, static_cast<const char*>(nullptr));
    return set_client_certificate(tls);
  }
  if (!tls.ca_pem.empty()) {
    // The blob replaces the bundle file but not the directory of the system's CAs.
    std::string pem = tls.ca_pem;
    const curl_blob blob{pem.data(), pem.size(), CURL_BLOB_COPY};
    curl_.easy_setopt(easy_, CURLOPT_CAINFO_BLOB, &blob);
  }
  set_client_certificate(tls);
}

void Transfer::set_client_certificate(const TlsOptions& tls) {
  if (!tls.client_cert_file.empty()) {
    curl_.easy_setopt(easy_, CURLOPT_SSLCERT, tls.client_cert_file.c_str());
    curl_.easy_setopt(easy_, CURLOPT_SSLKEY, tls.client_key_file.c_str());
  }
}

// --- the caller's side -------------------------------------------------------------------------

bool Transfer::push(ByteView data, const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  const bool ready = changed_.wait(lock, stop, [&] {
    return failure_ || headers_done_ || finished_ || outgoing_bytes_ < kBufferBytes;
  });
  if (failure_) std::rethrow_exception(failure_);
  if (!ready) throw Cancelled();
  if (headers_done_ || finished_ || data.empty()) return false;
  append_locked(outgoing_, data);
  outgoing_bytes_ += data.size();
  return send_paused_;
}

bool Transfer::end_body() {
  const std::scoped_lock lock(mutex_);
  body_ended_ = true;
  return send_paused_;
}

bool Transfer::answered() {
  const std::scoped_lock lock(mutex_);
  return headers_done_ || finished_;
}

void Transfer::wait_for_headers(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  const bool ready = changed_.wait(lock, stop, [&] { return headers_done_ || finished_; });
  if (!headers_done_ && failure_) std::rethrow_exception(failure_);
  if (!ready) throw Cancelled();
}

bool Transfer::pull(std::vector<std::byte>& bytes, const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  const bool ready = changed_.wait(lock, stop, [&] { return !incoming_.empty() || finished_; });
  if (!ready) throw Cancelled();
  recycle_locked(std::move(bytes));
  bytes = {};
  if (incoming_.empty()) {
    if (failure_) std::rethrow_exception(failure_);
    return false;
  }
  bytes.swap(incoming_.front());
  incoming_.pop_front();
  incoming_bytes_ -= bytes.size();
  return receive_paused_ && incoming_bytes_ <= kBufferBytes / 2;
}

void Transfer::append_locked(std::deque<std::vector<std::byte>>& queue, ByteView data) {
  while (!data.empty()) {
    if (queue.empty() || queue.back().size() == kPieceBytes) {
      queue.emplace_back();
      if (!spares_.empty()) {
        queue.back().swap(spares_.back());
        spares_.pop_back();
      } else if (queue.size() > 1) {
        queue.back().reserve(kPieceBytes);  // a first piece may be a whole, small body
      }
    }
    std::vector<std::byte>& back = queue.back();
    const ByteView part = data.first(std::min(data.size(), kPieceBytes - back.size()));
    back.insert(back.end(), part.begin(), part.end());
    data = data.subspan(part.size());
  }
}

void Transfer::recycle_locked(std::vector<std::byte>&& bytes) {
  if (bytes.capacity() < kPieceBytes || spares_.size() == kMaxSpares) return;
  bytes.clear();
  spares_.push_back(std::move(bytes));
}

// --- the loop's side -------------------------------------------------------------------------

int Transfer::pause_mask_locked() const noexcept {
  return (receive_paused_ ? CURLPAUSE_RECV : 0) | (send_paused_ ? CURLPAUSE_SEND : 0);
}

void Transfer::resume() {
  int mask = 0;
  {
    const std::scoped_lock lock(mutex_);
    if (incoming_bytes_ <= kBufferBytes / 2) receive_paused_ = false;
    if (!outgoing_.empty() || body_ended_) send_paused_ = false;
    mask = pause_mask_locked();
  }
  mark_ = {};  // the wait was the caller's, not the server's
  curl_.easy_pause(easy_, mask);
}

void Transfer::finished(CURLcode result) {
  std::exception_ptr failure = result == CURLE_OK ? nullptr : failure_of(result);
  const std::scoped_lock lock(mutex_);
  if (!failure_) failure_ = std::move(failure);
  finished_ = true;
  changed_.notify_all();
}

void Transfer::fail(std::exception_ptr error) {
  const std::scoped_lock lock(mutex_);
  if (!failure_) failure_ = std::move(error);
  finished_ = true;
  changed_.notify_all();
}

std::exception_ptr Transfer::failure_of(CURLcode result) const {
  const std::string reason =
      error_text_[0] != '\0' ? std::string(error_text_.data()) : curl_.easy_strerror(result);
  const char* hint = result == CURLE_SSL_CONNECT_ERROR ? " (perhaps it speaks no TLS)" : "";
  return std::make_exception_ptr(Error(code_of(result),
                                       cat(what_, ": ", printable(lower_first(reason)), hint),
                                       detail_of(result, ready_)));
}

bool Transfer::stalls(Clock::time_point now) {
  if (!ready_) return false;  // connecting has its own limit
  bool ours = false;
  bool waits_for_reply = false;
  {
    const std::scoped_lock lock(mutex_);
    if (finished_) return false;
    waits_for_reply =
        has_body_ && body_ended_ && !send_paused_ && outgoing_.empty() && !headers_done_;
    ours = receive_paused_ || (send_paused_ && !headers_done_);
  }
  if (ours || mark_ == Clock::time_point{}) {
    mark_ = now;
    moved_at_mark_ = moved_;
    return false;
  }
  const auto limit = waits_for_reply ? std::max(reply_timeout_, low_speed_time_) : low_speed_time_;
  const auto passed = std::chrono::duration_cast<std::chrono::milliseconds>(now - mark_);
  if (passed < limit) return false;
  const double seconds = static_cast<double>(passed.count()) / 1000;
  const auto moved = static_cast<double>(moved_ - moved_at_mark_);
  if (!waits_for_reply && moved >= static_cast<double>(low_speed_bytes_) * seconds) {
    mark_ = now;
    moved_at_mark_ = moved_;
    return false;
  }
  fail(std::make_exception_ptr(Error(
      Errc::unavailable, cat(what_, ": stalled: ", moved_ - moved_at_mark_, " bytes in ",
                             passed.count() / 1000, ".", passed.count() % 1000 / 100, " s"))));
  return true;
}

void Transfer::header_line(std::string_view line) {
  moved_ += line.size();
  if (headers_done_) return;  // trailers; only this thread writes headers_done_
  header_bytes_ += line.size();
  if (header_bytes_ > kMaxHeaderBytes) {
    throw Error(Errc::limit_exceeded,
                cat(what_, ": the answer's headers are larger than ", kMaxHeaderBytes, " bytes"));
  }
  line = trimmed(line);
  if (line.starts_with("HTTP/")) {
    headers_ = {};
    long status = 0;
    curl_.easy_getinfo(easy_, CURLINFO_RESPONSE_CODE, &status);
    status_ = static_cast<int>(status);
  } else if (line.empty()) {
    if (status_ < 200) return;  // 100 Continue and its like
    const std::scoped_lock lock(mutex_);
    headers_done_ = true;
    changed_.notify_all();
  } else if (const auto colon = line.find(':'); colon != std::string_view::npos) {
    headers_.add(std::string(trimmed(line.substr(0, colon))),
                 std::string(trimmed(line.substr(colon + 1))));
  }
}

void Transfer::take_body(ByteView data) {
  moved_ += data.size();
  int mask = 0;
  {
    const std::scoped_lock lock(mutex_);
    append_locked(incoming_, data);
    incoming_bytes_ += data.size();
    unannounced_ = true;
    if (incoming_bytes_ < kBufferBytes || receive_paused_) return;
    receive_paused_ = true;
    mask = pause_mask_locked();
  }
  // Pausing after the chunk is taken, not instead: libcurl then has nothing to deliver twice.
  curl_.easy_pause(easy_, mask);
}

void Transfer::announce() {
  if (!unannounced_) return;
  unannounced_ = false;
  const std::scoped_lock lock(mutex_);
  changed_.notify_all();
}

std::size_t Transfer::give_body(std::span<std::byte> out) {
  const std::scoped_lock lock(mutex_);
  std::size_t given = 0;
  while (given < out.size() && !outgoing_.empty()) {
    std::vector<std::byte>& front = outgoing_.front();
    const std::size_t count = std::min(out.size() - given, front.size() - outgoing_at_);
    std::memcpy(out.data() + given, front.data() + outgoing_at_, count);
    given += count;
    outgoing_at_ += count;
    if (outgoing_at_ == front.size()) {
      recycle_locked(std::move(front));
      outgoing_.pop_front();
      outgoing_at_ = 0;
    }
  }
  if (given == 0 && !body_ended_) {
    send_paused_ = true;
    return CURL_READFUNC_PAUSE;
  }
  outgoing_bytes_ -= given;
  moved_ += given;
  changed_.notify_all();
  return given;
}

// --- called by libcurl: no exception may pass through its frames ------------------------------

std::size_t Transfer::on_header(char* data, std::size_t size, std::size_t count, void* self) {
  auto& transfer = *static_cast<Transfer*>(self);
  try {
    transfer.header_line({data, size * count});
    return size * count;
  } catch (...) {
    transfer.fail(std::current_exception());
    return 0;
  }
}

std::size_t Transfer::on_body(char* data, std::size_t size, std::size_t count, void* self) {
  auto& transfer = *static_cast<Transfer*>(self);
  try {
    transfer.take_body(bytes_of({data, size * count}));
    return size * count;
  } catch (...) {
    transfer.fail(std::current_exception());
    return CURL_WRITEFUNC_ERROR;
  }
}

std::size_t Transfer::on_read(char* out, std::size_t size, std::size_t count, void* self) {
  auto& transfer = *static_cast<Transfer*>(self);
  try {
    return transfer.give_body({reinterpret_cast<std::byte*>(out), size * count});
  } catch (...) {
    transfer.fail(std::current_exception());
    return CURL_READFUNC_ABORT;
  }
}

int Transfer::on_ready(void* self, char* /*peer_ip*/, char* /*local_ip*/, int /*peer_port*/,
                       int /*local_port*/) {
  static_cast<Transfer*>(self)->ready_ = true;
  return CURL_PREREQFUNC_OK;
}

}  // namespace lade
