// One blob on its way to a registry. A small one is held until its digest is known, then sent by
// one PUT that can be repeated. A large one is streamed while it is written: by PUT where digest
// and size are known, else by one PATCH of unknown length and a closing PUT. Several PATCHes are
// avoided, as some registries keep only the last.
#include <algorithm>
#include <utility>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/store/blob_check.h"
#include "libimage/transports/docker_errors.h"
#include "libimage/transports/docker_writer.h"

namespace lade::docker {
namespace {

// Held before streaming begins; configs and most small layers are below it.
constexpr std::size_t kHeldBytes = std::size_t{1} << 20;
// Kept to start a stream again: as much as is written before the registry's first answer, at most
// what is held and what the connection buffers.
constexpr std::size_t kReplayBytes = std::size_t{4} << 20;
constexpr unsigned kMaxLostSessions = 3;

/// True if the registry knows nothing of the upload, or has other bytes of it than we think.
bool session_is_lost(const Error& error) {
  const auto* detail = std::get_if<HttpDetail>(&error.detail());
  return detail != nullptr && (detail->status == 404 || detail->status == 416);
}

class Upload final : public BlobWriter {
 public:
  Upload(std::shared_ptr<UploadSessions> sessions, BlobHint hint)
      : sessions_(std::move(sessions)), check_(std::move(hint)) {}
  ~Upload() override;
  Upload(const Upload&) = delete;
  Upload& operator=(const Upload&) = delete;

  void write(ByteView data) override;
  void finish() override;
  oci::Descriptor commit(oci::MediaType media_type) override;

 private:
  [[nodiscard]] Registry& registry() const { return sessions_->repository().registry(); }
  [[nodiscard]] std::string what() const;
  [[nodiscard]] bool streams_by_put() const { return check_.expected().has_value(); }
  void stream(ByteView data);
  void begin_stream();
  Error refusal(Response& response);
  void recover(const Error& failure);
  bool is_stored_in_spite_of(const Error& failure);
  void end_stream(const oci::Descriptor& blob);
  void end_put(const oci::Descriptor& blob);
  void end_patch(const oci::Descriptor& blob);
  void put_whole(const oci::Descriptor& blob);
  void close_session(const oci::Descriptor& blob, std::optional<RequestBody> body);

  std::shared_ptr<UploadSessions> sessions_;
  BlobCheck check_;
  std::string held_;        // from the blob's start; what can be sent again
  bool replayable_ = true;  // held_ is everything written so far
  std::optional<Url> session_;
  std::string authorization_;  // that the stream was begun with
  std::unique_ptr<Exchange> exchange_;
  unsigned failures_ = 0;
  bool finished_ = false;
  bool stored_ = false;  // the registry has the blob, though its answer was lost
  bool committed_ = false;
};

std::string Upload::what() const {
  const auto& expected = check_.expected();
  return cat("write ", expected ? expected->digest.str() : "a blob", " to ",
             sessions_->repository().describe());
}

Upload::~Upload() {
  if (committed_) return;
  exchange_.reset();  // before the session that it fills is cancelled
  if (session_) sessions_->cancel(*session_);
}

void Upload::write(ByteView data) {
  check_.add(data);
  with_context([&] { return what(); },
               [&] {
                 if (replayable_) {
                   held_ += chars_of(data);
                   const bool small = check_.expected() && check_.expected()->size <= kHeldBytes;
                   if (small || held_.size() <= kHeldBytes) return;
                 }
                 stream(data);
               });
}

void Upload::stream(ByteView data) {
  for (;;) {
    try {
      if (exchange_) {
        exchange_->write(data);
      } else {
        begin_stream();
        exchange_->write(bytes_of(held_));
      }
      const bool complete =
          check_.expected() && check_.bytes() == check_.expected()->size;  // then an answer is due
      if (complete || !exchange_->answered()) break;
      Response response = exchange_->response();
      throw refusal(response);
    } catch (const Error& e) {
      if (is_stored_in_spite_of(e)) return;
      recover(e);
    }
  }
  if (held_.size() > kReplayBytes) {
    replayable_ = false;
    held_ = {};
  }
}

void Upload::begin_stream() {
  if (!session_) session_ = sessions_->take();
  Call call{.method = "PATCH",
            .url = *session_,
            .headers = {{"Content-Type", "application/octet-stream"}}};
  std::optional<std::uint64_t> size;
  if (streams_by_put()) {
    call.method = "PUT";
    call.url = session_->with_parameter("digest", check_.expected()->digest.str());
    size = check_.expected()->size;
  }
  authorization_ = registry().authorization(call.url, sessions_->scopes());
  exchange_ = registry().start(call, size, sessions_->scopes());
}

/// What an answer to the stream that is no success means.
Error Upload::refusal(Response& response) {
  registry().pass_on_warnings(response);
  if (succeeded(response)) {
    return Error(Errc::unavailable, cat(response.status, " before everything was sent"));
  }
  const bool again = response.status == 401 &&
                     registry().reauthenticate(response, sessions_->scopes(), authorization_);
  Error error = error_of(response);
  // A new token, or a new session, is had by starting again.
  if (again || session_is_lost(error))
    return Error(Errc::unavailable, error.what(), error.detail());
  return error;
}

/// Prepares for another attempt from the blob's start, or throws.
void Upload::recover(const Error& failure) {
  exchange_.reset();
  const RetryPolicy& retry = registry().retry();
  if (!replayable_ || !may_succeed_later(failure)) throw failure;
  if (++failures_ >= retry.attempts) throw failure.as_final();
  if (session_) sessions_->cancel(*session_);
  session_.reset();
  wait_before_retry(retry, delay_after(retry, failures_, failure), registry().stop());
}

void Upload::finish() {
  if (finished_) return;
  (void)check_.result({});  // wrong content must not reach the registry's end
  finished_ = true;
  if (exchange_ && !stored_) exchange_->finish();
}

oci::Descriptor Upload::commit(oci::MediaType media_type) {
  finish();
  oci::Descriptor blob = check_.result(std::move(media_type));
  with_context([&] { return what(); },
               [&] {
                 if (exchange_ || stored_) {
                   end_stream(blob);
                 } else {
                   put_whole(blob);
                 }
               });
  committed_ = true;
  held_ = {};
  return blob;
}

/// The answer may be lost where the blob is not; to repeat the request then finds no session.
bool Upload::is_stored_in_spite_of(const Error& failure) {
  if (!may_succeed_later(failure) && !session_is_lost(failure)) return false;
  if (!finished_ && !(check_.expected() && check_.bytes() == check_.expected()->size)) return false;
  stored_ = sessions_->has_blob(check_.result({}));
  return stored_;
}

void Upload::end_stream(const oci::Descriptor& blob) {
  while (!stored_) {
    try {
      if (!exchange_) {
        begin_stream();
        exchange_->write(bytes_of(held_));
        exchange_->finish();
      }
      return streams_by_put() ? end_put(blob) : end_patch(blob);
    } catch (const Error& e) {
      if (is_stored_in_spite_of(e)) return;
      recover(e);
    }
  }
}

void Upload::end_put(const oci::Descriptor& blob) {
  Response response = exchange_->response();
  if (!succeeded(response)) throw refusal(response);
  registry().pass_on_warnings(response);
  exchange_.reset();
  check_stored_digest(response, blob.digest);
}

void Upload::end_patch(const oci::Descriptor& blob) {
  Response response = exchange_->response();
  if (!succeeded(response)) throw refusal(response);
  registry().pass_on_warnings(response);
  exchange_.reset();
  const auto range = response.headers.first("range");
  if (range && *range != cat("0-", blob.size - 1) && *range != cat("bytes=0-", blob.size - 1)) {
    throw Error(Errc::unavailable,
                cat("the registry has the bytes ", quoted(*range), " of ", blob.size));
  }
  if (response.headers.first("location")) session_ = sessions_->location(response);
  close_session(blob, std::nullopt);
  // Some registries that do not understand PATCH take it for success and store something else.
  if (!sessions_->has_blob(blob)) {
    throw Error(Errc::unavailable, "the registry does not have what it was sent");
  }
}

void Upload::put_whole(const oci::Descriptor& blob) {
  const RequestBody body = RequestBody::of(std::move(held_));
  for (unsigned lost = 0;; ++lost) {
    if (!session_) session_ = sessions_->take();
    try {
      return close_session(blob, body);
    } catch (const Error& e) {
      const bool session_lost = session_is_lost(e);
      if (!session_lost && !may_succeed_later(e)) throw;
      // An attempt whose answer was lost may have ended the session by its success.
      if (sessions_->has_blob(blob)) return;
      if (!session_lost || lost == kMaxLostSessions) throw;
      session_.reset();
    }
  }
}

void Upload::close_session(const oci::Descriptor& blob, std::optional<RequestBody> body) {
  Call call{.method = "PUT",
            .url = session_->with_parameter("digest", blob.digest.str()),
            .body = std::move(body)};
  if (call.body) call.headers.add("Content-Type", "application/octet-stream");
  const Response response = registry().expect_success(call, sessions_->scopes());
  check_stored_digest(response, blob.digest);
}

}  // namespace

std::unique_ptr<BlobWriter> start_upload(std::shared_ptr<UploadSessions> sessions, BlobHint hint) {
  return std::make_unique<Upload>(std::move(sessions), std::move(hint));
}

}  // namespace lade::docker
