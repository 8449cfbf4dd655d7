#include "libimage/transports/docker_errors.h"

#include "libimage/base/text.h"
#include "libimage/digest/digest.h"
#include "libimage/transports/docker_json.h"

namespace lade::docker {
namespace {

Errc code_of(int status) {
  switch (status) {
    case 401:
      return Errc::unauthorized;
    case 403:
    case 451:
      return Errc::denied;
    case 404:
      return Errc::not_found;
    case 405:
    case 501:
      return Errc::unsupported;
    case 413:
      return Errc::limit_exceeded;
    case 429:
      return Errc::rate_limited;
    case 408:
      return Errc::unavailable;
    default:
      return status >= 500 ? Errc::unavailable : Errc::invalid_content;
  }
}

constexpr std::size_t kMaxMessageBytes = 500;

/// What to say where the registry says nothing.
std::string_view reason_of(int status) {
  switch (status) {
    case 401:
      return " unauthorized";
    case 403:
      return " forbidden";
    case 404:
      return " not found";
    case 413:
      return " content too large";
    case 429:
      return " too many requests";
    case 500:
      return " internal server error";
    case 502:
      return " bad gateway";
    case 503:
      return " service unavailable";
    case 504:
      return " gateway timeout";
    default:
      return "";
  }
}

}  // namespace

bool succeeded(const Response& response) noexcept {
  return response.status >= 200 && response.status < 300;
}

std::string text_of(Response& response, std::uint64_t limit, std::string_view what) {
  return read_all(*response.body, limit, what);
}

Error error_of(Response& response) {
  RegistryError said;
  try {
    said = parse_errors(text_of(response, kMaxAnswerBytes, "the error"));
  } catch (const Error&) {  // the status says enough
    said = {};
  }
  std::string message = cat(response.status);
  if (said.code.empty() && said.message.empty()) message += reason_of(response.status);
  if (!said.code.empty()) message += cat(" ", printable(said.code.substr(0, 100)));
  if (!said.message.empty())
    message += cat(": ", printable(said.message.substr(0, kMaxMessageBytes)));
  const Error error(code_of(response.status), std::move(message),
                    HttpDetail{.status = response.status,
                               .registry_code = printable(said.code.substr(0, 100)),
                               .retry_after_seconds = response.retry_after_seconds()});
  return response.attempts > 1 ? error.as_final() : error;
}

void check_stored_digest(const Response& response, const Digest& expected) {
  const auto text = response.headers.first("docker-content-digest");
  const auto served = text ? Digest::try_parse(*text) : std::nullopt;
  if (served && served->algorithm() == expected.algorithm() && *served != expected) {
    throw Error(Errc::digest_mismatch,
                cat("the registry stored ", served->str(), " instead of ", expected.str()));
  }
}

}  // namespace lade::docker
