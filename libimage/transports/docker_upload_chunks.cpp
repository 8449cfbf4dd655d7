// An upload in several requests, each of which can be repeated.
#include <algorithm>
#include <utility>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/transports/docker_upload.h"

namespace lade::docker {
namespace {

constexpr std::uint64_t kLeastChunk = std::uint64_t{256} << 10;
constexpr std::uint64_t kLargestChunk = std::uint64_t{64} << 20;

bool is_too_large(const Error& error) { return status_of(error) == 413; }

/// True if the registry, or a proxy, takes no request whose length is not told.
bool refuses_unknown_length(const Error& error) {
  const int status = status_of(error);
  return status == 400 || status == 405 || status == 411 || status == 501;
}

}  // namespace

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

}  // namespace lade::docker
