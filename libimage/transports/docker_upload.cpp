// One blob on its way to a registry. A small one is held until its digest is known, then sent by
// one PUT that can be repeated. A large one is streamed while it is written: by PUT where digest
// and size are known, else by one PATCH of unknown length and a closing PUT. Several PATCHes are
// avoided, as some registries keep only the last: they carry a blob only where one request may not,
// and where an upload that broke off is continued.
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
// what is held and what the connection buffers. All uploads to a registry share what they keep
// beyond kHeldBytes; who gets nothing of it leaves the repetition to the blob's owner.
constexpr std::size_t kReplayBytes = std::size_t{4} << 20;
constexpr std::size_t kSharedReplayBytes = std::size_t{4} << 20;
constexpr unsigned kMaxLostSessions = 3;
// Uploads that are worth being continued, and how much of them must have arrived.
constexpr std::uint64_t kContinuedBytes = std::uint64_t{8} << 20;
constexpr std::uint64_t kWorthKeeping = std::uint64_t{4} << 20;
// Proxies refuse requests of more than 100 MiB, or 1 MiB; a chunk is held until it is stored.
constexpr std::uint64_t kChunkSize = std::uint64_t{8} << 20;
constexpr std::uint64_t kLeastChunk = std::uint64_t{256} << 10;
constexpr std::uint64_t kLargestChunk = std::uint64_t{64} << 20;

int status_of(const Error& error) {
  const auto* detail = std::get_if<HttpDetail>(&error.detail());
  return detail == nullptr ? 0 : detail->status;
}

/// True if the registry knows nothing of the upload, or has other bytes of it than we think.
bool session_is_lost(const Error& error) {
  return status_of(error) == 404 || status_of(error) == 416;
}

bool is_too_large(const Error& error) { return status_of(error) == 413; }

/// True if the registry, or a proxy, takes no request whose length is not told.
bool refuses_unknown_length(const Error& error) {
  const int status = status_of(error);
  return status == 400 || status == 405 || status == 411 || status == 501;
}

class Upload final : public BlobWriter {
 public:
  Upload(std::shared_ptr<UploadSessions> sessions, BlobHint hint);
  ~Upload() override;
  Upload(const Upload&) = delete;
  Upload& operator=(const Upload&) = delete;

  [[nodiscard]] std::uint64_t kept() const override { return kept_; }
  void write(ByteView data) override;
  void finish() override;
  oci::Descriptor commit(oci::MediaType media_type) override;

 private:
  [[nodiscard]] Registry& registry() const { return sessions_->registry(); }
  [[nodiscard]] Memory& memory() const { return registry().memory(); }
  [[nodiscard]] const std::string& repository() const { return sessions_->repository().name(); }
  [[nodiscard]] std::string what() const;
  [[nodiscard]] bool streams_by_put() const { return check_.expected().has_value(); }
  [[nodiscard]] bool can_be_continued() const;
  UploadSession& session();
  void resume();
  void save() const;
  void leave() noexcept;
  void drop_session();

  void stream(ByteView data);
  void begin_stream();
  [[nodiscard]] bool may_keep(std::size_t bytes);
  void forget_held();
  Error refusal(Response& response);
  void recover(const Error& failure);
  bool is_stored_in_spite_of(const Error& failure);
  void end_stream(const oci::Descriptor& blob);
  void end_put(const oci::Descriptor& blob);
  void end_patch(const oci::Descriptor& blob);

  bool split_after(const Error& failure);
  void use_chunks(std::uint64_t bytes);
  void send_full_chunks();
  void send_chunk(std::size_t bytes);
  void patch(std::size_t bytes);
  void after_broken_chunk(const Error& failure);
  void took(std::uint64_t bytes);
  void end_chunks(const oci::Descriptor& blob);

  /// The first `bytes` of what is held, without a copy: for a request that ends before held_
  /// changes.
  [[nodiscard]] RequestBody held_body(std::size_t bytes) const;
  void put_whole(const oci::Descriptor& blob);
  void close_session(const oci::Descriptor& blob, std::optional<RequestBody> body);

  std::shared_ptr<UploadSessions> sessions_;
  BlobCheck check_;
  std::string held_;        // what can be sent again: from the blob's start, or from sent_ on
  bool replayable_ = true;  // held_ is everything written so far
  std::size_t shared_ = 0;  // taken from what all uploads share
  Memory::Claim claim_;     // ours: the upload may be saved and continued
  std::optional<UploadSession> session_;
  std::string authorization_;  // that the stream was begun with
  std::unique_ptr<Exchange> exchange_;
  std::uint64_t chunk_ = 0;  // largest request; 0: the blob goes as one
  std::uint64_t sent_ = 0;   // in chunks: what the registry has confirmed
  std::uint64_t kept_ = 0;   // what it had from an earlier attempt
  unsigned chunks_ = 0;      // sent by this attempt
  unsigned failures_ = 0;
  bool finished_ = false;
  bool stored_ = false;  // the registry has the blob, though its answer was lost
  bool committed_ = false;
};

Upload::Upload(std::shared_ptr<UploadSessions> sessions, BlobHint hint)
    : sessions_(std::move(sessions)), check_(std::move(hint)) {
  const UploadTraits traits = memory().traits();
  if (traits.chunk_bytes > 0 && !traits.loses_chunks) {
    use_chunks(traits.chunk_bytes);
  } else if (traits.needs_length && !check_.expected()) {
    use_chunks(kChunkSize);
  }
  if (!can_be_continued()) return;
  claim_ = memory().claim_upload(repository(), check_.expected()->digest);
  if (claim_.ours) resume();
}

std::string Upload::what() const {
  const auto& expected = check_.expected();
  return cat("write ", expected ? expected->digest.str() : "a blob", " to ",
             sessions_->repository().describe());
}

UploadSession& Upload::session() {
  if (!session_) session_ = sessions_->take();
  return *session_;
}

// --- what outlives an attempt ------------------------------------------------------------------

bool Upload::can_be_continued() const {
  // What the registry has of it is verified by the registry alone, when all is there.
  return check_.expected() && check_.expected()->size >= kContinuedBytes &&
         check_.verified_by_source();
}

/// Takes up what an earlier attempt left, of this or of another command.
void Upload::resume() {
  const auto saved = memory().take_upload(repository(), check_.expected()->digest);
  if (!saved) return;
  try {
    UploadSession session{.url = registry().side_url(registry().base(), saved->location)};
    const auto has = sessions_->progress(session);
    if (!has || *has == 0 || *has > check_.expected()->size) return sessions_->cancel(session.url);
    session_ = std::move(session);
    kept_ = sent_ = *has;
    check_.skip(kept_);
    use_chunks(saved->chunk_bytes > 0 ? saved->chunk_bytes : kChunkSize);
    save();
  } catch (const Error&) {  // then it begins anew
    session_.reset();
  }
}

void Upload::save() const {
  if (!session_ || !claim_.ours) return;
  memory().save_upload(repository(), check_.expected()->digest,
                       {.location = session_->url.str(), .chunk_bytes = chunk_});
}

/// Leaves an upload that broke off where it can be continued, or cancels it.
void Upload::leave() noexcept {
  try {
    exchange_.reset();  // before the session that it fills is asked or cancelled
    if (!session_) return;
    if (claim_.ours && check_.bytes() >= kWorthKeeping) {
      const auto answer = registry().last_word("GET", session_->url, sessions_->scopes());
      if (!answer || answer->status >= 500)
        return save();  // who can be reached later is asked then
      if (succeeded(*answer) && end_of_range(*answer).value_or(0) >= kWorthKeeping) {
        sessions_->follow(*session_, *answer);
        return save();
      }
    }
    drop_session();
  } catch (const std::exception&) {  // the registry sweeps by itself
    return;
  }
}

void Upload::drop_session() {
  if (claim_.ours) memory().forget_upload(repository(), check_.expected()->digest);
  if (session_) sessions_->cancel(session_->url);
  session_.reset();
}

Upload::~Upload() {
  if (!committed_) leave();
  forget_held();
}

// --- writing -----------------------------------------------------------------------------------

void Upload::write(ByteView data) {
  check_.add(data);
  with_context([&] { return what(); },
               [&] {
                 if (replayable_) {
                   if (held_.empty() && check_.expected()) {
                     held_.reserve(static_cast<std::size_t>(
                         std::min<std::uint64_t>(check_.expected()->size, kHeldBytes)));
                   }
                   held_ += chars_of(data);
                   const bool small = check_.expected() && check_.expected()->size <= kHeldBytes;
                   if (chunk_ > 0) return send_full_chunks();
                   if (small || held_.size() <= kHeldBytes) return;
                 }
                 stream(data);
               });
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
                 } else if (chunk_ > 0 && (sent_ > 0 || held_.size() > chunk_)) {
                   end_chunks(blob);
                 } else {
                   put_whole(blob);
                 }
               });
  committed_ = true;
  forget_held();
  if (claim_.ours) memory().forget_upload(repository(), blob.digest);
  registry().saw(blob, repository());
  return blob;
}

// --- as one stream -----------------------------------------------------------------------------

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
      if (split_after(e)) return send_full_chunks();
      recover(e);
    }
  }
  if (replayable_ && !may_keep(held_.size())) {
    replayable_ = false;
    forget_held();
  }
}

bool Upload::may_keep(std::size_t bytes) {
  if (bytes > kReplayBytes) return false;
  while (bytes > kHeldBytes + shared_) {
    if (!registry().keep_for_replay(kHeldBytes, kSharedReplayBytes)) return false;
    shared_ += kHeldBytes;
  }
  return true;
}

void Upload::forget_held() {
  held_ = {};
  registry().drop_from_replay(std::exchange(shared_, 0));
}

void Upload::begin_stream() {
  Call call{.method = "PATCH",
            .url = session().url,
            .headers = {{"Content-Type", "application/octet-stream"}}};
  std::optional<std::uint64_t> size;
  if (streams_by_put()) {
    call.method = "PUT";
    call.url = session().url.with_parameter("digest", check_.expected()->digest.str());
    size = check_.expected()->size;
  }
  // For the next command, should this one be killed.
  if (memory().outlives_us()) save();
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
  if (session_) sessions_->cancel(session_->url);
  session_.reset();
  wait_before_retry(retry, delay_after(retry, failures_, failure), registry().stop());
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
      if (split_after(e)) return end_chunks(blob);
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
  if (range && end_of_range(response) != blob.size) {
    throw Error(Errc::unavailable,
                cat("the registry has the bytes ", quoted(*range), " of ", blob.size));
  }
  sessions_->follow(*session_, response);
  close_session(blob, std::nullopt);
  // Some registries that do not understand PATCH take it for success and store something else.
  if (!sessions_->has_blob(blob)) {
    throw Error(Errc::unavailable, "the registry does not have what it was sent");
  }
}

// --- in chunks ---------------------------------------------------------------------------------

void Upload::use_chunks(std::uint64_t bytes) {
  const std::uint64_t least = session_ ? session_->least_chunk : 0;
  if (least > kLargestChunk) {
    throw Error(Errc::unsupported, cat("the registry wants chunks of ", least, " bytes"));
  }
  chunk_ = std::clamp(std::max(bytes, least), kLeastChunk, kLargestChunk);
}

/// True if `failure` says that one request cannot carry the blob: chunks do it then, from the
/// blob's start if that is still here, else at the owner's next attempt.
bool Upload::split_after(const Error& failure) {
  const bool divisible = !check_.expected() || check_.expected()->size > kLeastChunk;
  const bool too_large = is_too_large(failure) && divisible;
  if (!too_large && (streams_by_put() || !refuses_unknown_length(failure))) return false;
  if (memory().traits().loses_chunks) return false;
  exchange_.reset();
  if (session_) sessions_->cancel(session_->url);
  session_.reset();
  const std::uint64_t size = check_.expected() ? check_.expected()->size : held_.size();
  use_chunks(std::min(kChunkSize, size / 4));
  if (too_large) {
    memory().learn([&](UploadTraits& traits) {
      if (traits.chunk_bytes == 0) traits.chunk_bytes = chunk_;
    });
  }
  if (!too_large) memory().learn([](UploadTraits& traits) { traits.needs_length = true; });
  if (!replayable_) throw Error(Errc::unavailable, failure.what(), failure.detail());
  return true;
}

/// The last chunk is sent at the end, so that there is one.
void Upload::send_full_chunks() {
  while (held_.size() > chunk_) {
    if (!session_) use_chunks(std::max(chunk_, session().least_chunk));
    if (held_.size() <= chunk_) return;
    send_chunk(static_cast<std::size_t>(chunk_));
  }
}

void Upload::send_chunk(std::size_t bytes) {
  const std::uint64_t end = sent_ + bytes;
  while (sent_ < end) {
    try {
      patch(static_cast<std::size_t>(std::min(end - sent_, chunk_)));
      failures_ = 0;
      ++chunks_;
      if (memory().outlives_us()) save();
    } catch (const Error& e) {
      after_broken_chunk(e);
    }
  }
}

void Upload::patch(std::size_t bytes) {
  Call call{.method = "PATCH",
            .url = session().url,
            .headers = {{"Content-Type", "application/octet-stream"},
                        {"Content-Range", cat(sent_, "-", sent_ + bytes - 1)}},
            .body = held_body(bytes),
            .attempts = 1};  // to repeat it blindly could store it twice
  const Response response = registry().expect_success(call, sessions_->scopes());
  sessions_->follow(*session_, response);
  const auto has = end_of_range(response);
  if (has && *has != sent_ + bytes) {
    throw Error(Errc::unavailable, cat("the registry has ", *has, " bytes, not ", sent_ + bytes));
  }
  took(bytes);
}

void Upload::took(std::uint64_t bytes) {
  held_.erase(0, static_cast<std::size_t>(bytes));
  sent_ += bytes;
}

/// Asks how much has arrived, and goes on behind it; throws where that cannot be.
void Upload::after_broken_chunk(const Error& failure) {
  if (is_too_large(failure) && chunk_ > kLeastChunk) {
    use_chunks(chunk_ / 4);
    return memory().learn([&](UploadTraits& traits) { traits.chunk_bytes = chunk_; });
  }
  if (!may_succeed_later(failure) && !session_is_lost(failure)) throw failure;
  const RetryPolicy& retry = registry().retry();
  if (++failures_ >= retry.attempts) throw failure.as_final();
  wait_before_retry(retry, delay_after(retry, failures_, failure), registry().stop());
  std::optional<std::uint64_t> has;
  try {
    has = sessions_->progress(session());
  } catch (const Error& e) {  // asked again after the next attempt
    if (!may_succeed_later(e)) throw;
    return;
  }
  if (has && *has >= sent_ && *has <= sent_ + held_.size()) return took(*has - sent_);
  if (has && *has < sent_) memory().learn([](UploadTraits& traits) { traits.loses_chunks = true; });
  drop_session();
  if (sent_ > 0) throw Error(Errc::unavailable, failure.what(), failure.detail());
}

void Upload::end_chunks(const oci::Descriptor& blob) {
  while (!held_.empty()) {
    send_chunk(static_cast<std::size_t>(std::min<std::uint64_t>(chunk_, held_.size())));
  }
  std::optional<Error> refused;
  try {
    close_session(blob, std::nullopt);
  } catch (const Error& e) {
    refused = e;
  }
  // Some take the last chunk for the end and know no session to close; others kept only that chunk,
  // whatever they said.
  if (sessions_->has_blob(blob)) return;
  drop_session();
  const int status = refused ? status_of(*refused) : 0;
  const bool stored_other = !refused || status == 400 || status == 404 || status == 416;
  if (!stored_other) throw *refused;
  if (kept_ > 0) {
    throw Error(Errc::digest_mismatch, "what the registry kept of an earlier attempt was wrong");
  }
  if (chunks_ > 1) memory().learn([](UploadTraits& traits) { traits.loses_chunks = true; });
  if (refused) throw Error(Errc::unavailable, refused->what(), refused->detail());
  throw Error(Errc::unavailable, "the registry does not have what it was sent");
}

// --- in one request that can be repeated -------------------------------------------------------

RequestBody Upload::held_body(std::size_t bytes) const {
  const std::string_view part = std::string_view(held_).substr(0, bytes);
  return {.open = [part] { return std::make_unique<StringSource>(part); }, .size = bytes};
}

void Upload::put_whole(const oci::Descriptor& blob) {
  const RequestBody body = held_body(held_.size());
  for (unsigned lost = 0;; ++lost) {
    try {
      (void)session();
      return close_session(blob, body);
    } catch (const Error& e) {
      if (split_after(e)) return end_chunks(blob);
      const bool session_lost = session_ && session_is_lost(e);
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
            .url = session().url.with_parameter("digest", blob.digest.str()),
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
