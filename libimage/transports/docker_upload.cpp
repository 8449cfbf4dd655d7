#include "libimage/transports/docker_upload.h"

#include <algorithm>
#include <utility>

#include "libimage/base/error.h"
#include "libimage/base/text.h"

namespace lade::docker {
namespace {

constexpr unsigned kMaxLostSessions = 3;
// Uploads that are worth being continued, and how much of them must have arrived.
constexpr std::uint64_t kContinuedBytes = std::uint64_t{8} << 20;
constexpr std::uint64_t kWorthKeeping = std::uint64_t{4} << 20;

}  // namespace

int status_of(const Error& error) {
  const auto* detail = std::get_if<HttpDetail>(&error.detail());
  return detail == nullptr ? 0 : detail->status;
}

bool session_is_lost(const Error& error) {
  return status_of(error) == 404 || status_of(error) == 416;
}

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

std::unique_ptr<BlobWriter> start_upload(std::shared_ptr<UploadSessions> sessions, BlobHint hint) {
  return std::make_unique<Upload>(std::move(sessions), std::move(hint));
}

}  // namespace lade::docker
