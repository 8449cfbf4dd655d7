#include "libimage/transports/docker_blob_source.h"

#include <algorithm>
#include <array>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/transports/docker_errors.h"

namespace lade::docker {
namespace {

// A server that drops each connection after a few bytes must not be followed for hours.
constexpr std::uint64_t kProgressBytes = std::uint64_t{1} << 20;

struct ContentRange {
  std::uint64_t first = 0;
  std::optional<std::uint64_t> total = {};  // nullopt: "*"
};

std::optional<ContentRange> parse_content_range(std::string_view text) {
  if (!text.starts_with("bytes ")) return std::nullopt;
  text.remove_prefix(6);
  const auto slash = text.find('/');
  const auto dash = text.find('-');
  if (slash == std::string_view::npos || dash > slash) return std::nullopt;
  const auto first = parse_decimal(text.substr(0, dash));
  const std::string_view total = text.substr(slash + 1);
  if (!first) return std::nullopt;
  if (total == "*") return ContentRange{.first = *first};
  const auto bytes = parse_decimal(total);
  if (!bytes) return std::nullopt;
  return ContentRange{.first = *first, .total = *bytes};
}

}  // namespace

BlobSource::BlobSource(std::shared_ptr<Registry> registry, std::string repository,
                       const oci::Descriptor& blob, std::uint64_t offset,
                       std::shared_ptr<bool> continued)
    : registry_(std::move(registry)),
      scopes_({pull_scope(repository)}),
      url_(registry_->url(repository, cat("/blobs/", blob.digest.str()))),
      size_(blob.size),
      end_(blob.size),
      seen_(offset),
      seen_at_failure_(offset),
      continued_(std::move(continued)) {
  request();
}

BlobSource::BlobSource(std::shared_ptr<Registry> registry, std::string repository,
                       const oci::Descriptor& blob, std::uint64_t offset, std::uint64_t end)
    : registry_(std::move(registry)),
      scopes_({pull_scope(repository)}),
      url_(registry_->url(repository, cat("/blobs/", blob.digest.str()))),
      size_(blob.size),
      end_(end),
      seen_(offset),
      seen_at_failure_(offset) {
  request();
}

void BlobSource::request() {
  Call call{.url = url_};
  const bool by_range = seen_ > 0 || end_ < size_;
  if (by_range) {
    call.headers.add(
        "Range", end_ < size_ ? cat("bytes=", seen_, "-", end_ - 1) : cat("bytes=", seen_, "-"));
  }
  if (seen_ > 0 && continued_) *continued_ = true;
  Response response = registry_->send(call, scopes_);
  if (by_range && response.status == 206) {
    continue_at_range(response);
  } else if (by_range && response.status == 416) {
    response = registry_->expect_success({.url = url_}, scopes_);
    start_over(response);
  } else if (response.status == 200) {
    start_over(response);
  } else if (succeeded(response)) {
    throw Error(Errc::invalid_content, cat("unexpected status ", response.status));
  } else {
    throw error_of(response);
  }
  body_ = std::move(response.body);
}

void BlobSource::continue_at_range(const Response& response) {
  const std::string_view text = response.headers.first("content-range").value_or("");
  const auto range = parse_content_range(text);
  if (!range || range->first != seen_ || (range->total && *range->total != size_)) {
    throw Error(Errc::invalid_content, cat("asked for bytes from ", seen_, " of ", size_,
                                           ", got Content-Range ", quoted(text)));
  }
}

void BlobSource::start_over(Response& response) {
  const auto length = response.headers.first("content-length");
  const auto bytes = length ? parse_decimal(*length) : std::nullopt;
  if (bytes && *bytes != size_) {
    throw Error(Errc::size_mismatch, cat("the registry has ", *bytes, " bytes, not ", size_));
  }
  // What was passed on already cannot be taken back; whoever verifies notices if it was wrong.
  std::array<std::byte, 65536> buffer;
  for (std::uint64_t left = seen_; left > 0;) {
    const auto want = static_cast<std::size_t>(std::min<std::uint64_t>(left, buffer.size()));
    const std::size_t got = response.body->read(std::span(buffer).first(want));
    if (got == 0) throw Error(Errc::unavailable, cat("the content ended at byte ", seen_ - left));
    left -= got;
  }
}

std::size_t BlobSource::read(std::span<std::byte> out) {
  for (;;) {
    try {
      if (!body_) request();
      const std::size_t got = body_->read(out);
      seen_ += got;
      if (got > 0 || seen_ >= end_) return got;
      throw Error(Errc::unavailable, cat("the content ended at byte ", seen_, " of ", end_));
    } catch (const Error& e) {
      recover(e);
    }
  }
}

void BlobSource::recover(const Error& failure) {
  body_.reset();
  if (seen_ - seen_at_failure_ >= kProgressBytes) failures_ = 0;
  seen_at_failure_ = seen_;
  ++failures_;
  const RetryPolicy& retry = registry_->retry();
  if (!may_succeed_later(failure) || failures_ >= std::max(retry.attempts, 1U)) {
    const Error error = failure.in(cat("read ", url_.redacted()));
    throw failures_ > 1 ? error.as_final() : error;
  }
  wait_before_retry(retry, delay_after(retry, failures_, failure), registry_->stop());
}

}  // namespace lade::docker
