#pragma once
#include <string_view>

#include "libimage/base/error.h"
#include "libimage/digest/digest.h"
#include "libimage/http/http_client.h"

namespace lade::docker {

/// Largest error body and token answer that is read.
inline constexpr std::uint64_t kMaxAnswerBytes = std::uint64_t{1} << 20;

/// The answer as an Error: "401 UNAUTHORIZED: authentication required". Reads the body.
Error error_of(Response& response);

/// True for 2xx.
bool succeeded(const Response& response) noexcept;

/// The whole body, at most `limit` bytes.
std::string text_of(Response& response, std::uint64_t limit, std::string_view what);

/// Throws Error{digest_mismatch} if the registry says that it stored other content.
void check_stored_digest(const Response& response, const Digest& expected);

}  // namespace lade::docker
