// An upload in one request, which begins before all of the blob is known.
#include <algorithm>
#include <utility>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/transports/docker_upload.h"

namespace lade::docker {
namespace {

// Kept to start a stream again: as much as is written before the registry's first answer, at most
// what is held and what the connection buffers. All uploads to a registry share what they keep
// beyond kHeldBytes; who gets nothing of it leaves the repetition to the blob's owner.
constexpr std::size_t kReplayBytes = std::size_t{4} << 20;
constexpr std::size_t kSharedReplayBytes = std::size_t{4} << 20;

}  // namespace

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

}  // namespace lade::docker
