#include "libimage/transports/docker_sessions.h"

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/transports/docker_errors.h"

namespace lade::docker {

UploadSessions::~UploadSessions() {
  for (const UploadSession& session : spare_) cancel(session.url);
}

UploadSession UploadSessions::take() {
  {
    const std::scoped_lock lock(mutex_);
    if (!spare_.empty()) {
      UploadSession session = std::move(spare_.back());
      spare_.pop_back();
      return session;
    }
  }
  return begun(registry().expect_success(
      {.method = "POST", .url = registry().url(repository_.name(), "/blobs/uploads/")}, scopes()));
}

void UploadSessions::keep(UploadSession session) {
  const std::scoped_lock lock(mutex_);
  spare_.push_back(std::move(session));
}

void UploadSessions::cancel(const Url& session) noexcept { registry().forget(session, scopes()); }

UploadSession UploadSessions::begun(const Response& response) const {
  const auto location = response.headers.first("location");
  if (!location) throw Error(Errc::invalid_content, "the registry names no upload location");
  const auto least = response.headers.first("oci-chunk-min-length");
  return {.url = registry().side_url(response.url, *location),
          .least_chunk = least ? parse_decimal(trimmed(*least)).value_or(0) : 0};
}

void UploadSessions::follow(UploadSession& session, const Response& response) const {
  const auto location = response.headers.first("location");
  if (location && !location->empty()) session.url = registry().side_url(response.url, *location);
}

std::optional<std::uint64_t> end_of_range(const Response& response) {
  auto text = response.headers.first("range");
  if (!text) return std::nullopt;
  std::string_view range = trimmed(*text);
  if (range.starts_with("bytes=")) range.remove_prefix(6);
  if (!range.starts_with("0-")) return std::nullopt;
  const auto last = parse_decimal(range.substr(2));
  if (!last || *last == UINT64_MAX) return std::nullopt;
  // "0-0" is what a session says that has nothing; nobody sends a single byte.
  return *last == 0 ? 0 : *last + 1;
}

std::optional<std::uint64_t> UploadSessions::progress(UploadSession& session) const {
  const Response response = registry().send({.url = session.url, .attempts = 1}, scopes());
  if (!succeeded(response)) return std::nullopt;
  follow(session, response);
  return end_of_range(response);
}

bool UploadSessions::has_blob(const oci::Descriptor& blob) const {
  Response response =
      registry().send({.method = "HEAD", .url = repository_.blob_url(blob.digest)}, scopes());
  if (response.status == 200) {
    const auto length = response.headers.first("content-length");
    const auto size = length ? parse_decimal(*length) : std::nullopt;
    return !size || *size == blob.size;
  }
  // A store that answers HEAD only with its own error says no less than 404: then it is written.
  const bool elsewhere = response.url.origin() != registry().base().origin();
  if (response.status == 404 || response.status == 405 || response.status == 501 || elsewhere) {
    return false;
  }
  throw error_of(response);
}

}  // namespace lade::docker
