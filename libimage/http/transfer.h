/// One request and its answer in flight: shared by the caller's thread and the loop's. Internal.
#pragma once
#include <array>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "libimage/http/curl_api.h"
#include "libimage/http/http_client.h"

namespace lade {

class Transfer {
 public:
  using Clock = std::chrono::steady_clock;
  enum class Body { none, sized, unsized };

  /// Sets up a handle for `request`; its body comes by push().
  Transfer(const Request& request, Body body, std::uint64_t size, const HttpOptions& options,
           const TlsOptions& tls);
  ~Transfer();
  Transfer(const Transfer&) = delete;
  Transfer& operator=(const Transfer&) = delete;

  // For the caller's thread. `true` means: the loop must resume() the transfer.

  /// Waits for room, then appends; drops `data` if an answer is here.
  bool push(ByteView data, const std::stop_token& stop);
  bool end_body();
  bool answered();
  /// Waits for the answer's headers; throws the failure.
  void wait_for_headers(const std::stop_token& stop);
  /// Replaces `bytes` by what came next; empty: the end.
  bool pull(std::vector<std::byte>& bytes, const std::stop_token& stop);
  [[nodiscard]] int status() const noexcept { return status_; }
  [[nodiscard]] const Headers& headers() const noexcept { return headers_; }

  // For the loop's thread.

  [[nodiscard]] CURL* handle() const noexcept { return easy_; }
  void resume();
  void finished(CURLcode result);
  void fail(std::exception_ptr error);
  /// Wakes the reader for what take_body() took: once for each turn of the loop, as libcurl hands
  /// over 16 KiB at a time.
  void announce();
  /// Throws nothing; fails the transfer and returns true if it stalls at `now`.
  bool stalls(Clock::time_point now);

 private:
  static std::size_t on_header(char* data, std::size_t size, std::size_t count, void* self);
  static std::size_t on_body(char* data, std::size_t size, std::size_t count, void* self);
  static std::size_t on_read(char* out, std::size_t size, std::size_t count, void* self);
  static int on_ready(void* self, char*, char*, int, int);

  void set_method(const Request& request, Body body, std::uint64_t size);
  void set_headers(const Request& request, Body body, std::uint64_t size);
  void set_tls(const TlsOptions& tls);
  void set_client_certificate(const TlsOptions& tls);
  void header_line(std::string_view line);
  void take_body(ByteView data);
  std::size_t give_body(std::span<std::byte> out);
  void append_locked(std::deque<std::vector<std::byte>>& queue, ByteView data);
  void recycle_locked(std::vector<std::byte>&& bytes);
  [[nodiscard]] std::exception_ptr failure_of(CURLcode result) const;
  [[nodiscard]] int pause_mask_locked() const noexcept;

  const CurlApi& curl_;
  CURL* easy_ = nullptr;
  curl_slist* request_headers_ = nullptr;
  std::array<char, CURL_ERROR_SIZE> error_text_{};
  const std::string what_;  // "GET https://host/path", for messages
  const bool has_body_;
  const std::uint64_t low_speed_bytes_;
  const std::chrono::milliseconds low_speed_time_;
  const std::chrono::milliseconds reply_timeout_;

  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::deque<std::vector<std::byte>> outgoing_;  // guarded by mutex_
  std::size_t outgoing_bytes_ = 0;               // guarded by mutex_
  std::size_t outgoing_at_ = 0;                  // guarded by mutex_
  bool body_ended_ = false;                      // guarded by mutex_
  bool send_paused_ = false;                     // guarded by mutex_
  std::deque<std::vector<std::byte>> incoming_;  // guarded by mutex_
  std::size_t incoming_bytes_ = 0;               // guarded by mutex_
  bool receive_paused_ = false;                  // guarded by mutex_
  std::vector<std::vector<std::byte>> spares_;   // guarded by mutex_: memory to use again
  bool headers_done_ = false;                    // guarded by mutex_
  bool finished_ = false;                        // guarded by mutex_
  std::exception_ptr failure_;                   // guarded by mutex_
  int status_ = 0;                               // written by the loop's thread until headers_done_
  Headers headers_;                              // written by the loop's thread until headers_done_
  std::size_t header_bytes_ = 0;                 // loop's thread
  bool ready_ = false;                           // loop's thread: the connection stands
  bool unannounced_ = false;                     // loop's thread
  std::uint64_t moved_ = 0;                      // loop's thread
  std::uint64_t moved_at_mark_ = 0;              // loop's thread
  Clock::time_point mark_{};                     // loop's thread
};

}  // namespace lade
