#include "libimage/http/curl_error.h"

#include <algorithm>
#include <cerrno>
#include <string_view>

namespace lade {

Errc code_of(CURLcode result) {
  switch (result) {
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
    case CURLE_OPERATION_TIMEDOUT:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_GOT_NOTHING:
    case CURLE_PARTIAL_FILE:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
    case CURLE_SEND_FAIL_REWIND:  // a kept connection was dead, and the body cannot be read twice
    case CURLE_PROXY:
    case CURLE_SSL_CONNECT_ERROR:
      return Errc::unavailable;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_INVALIDCERTSTATUS:
      return Errc::denied;
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_UNSUPPORTED_PROTOCOL:
      return Errc::invalid_content;
    default:
      return Errc::io;
  }
}

ErrorDetail detail_of(CURLcode result, bool connected) {
  if (connected) return {};
  switch (result) {
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_RESOLVE_HOST:
      return ErrnoDetail{EHOSTUNREACH};
    case CURLE_COULDNT_CONNECT:
      return ErrnoDetail{ECONNREFUSED};
    case CURLE_OPERATION_TIMEDOUT:
      return ErrnoDetail{ETIMEDOUT};
    case CURLE_SSL_CONNECT_ERROR:
      return ErrnoDetail{EPROTO};
    default:
      return {};
  }
}

std::string lower_first(std::string text) {
  const std::string_view rest =
      std::string_view(text).substr(std::min<std::size_t>(1, text.size()));
  const std::string_view first_word = rest.substr(0, rest.find(' '));
  const bool word = !first_word.empty() &&
                    std::all_of(first_word.begin(), first_word.end(),
                                [](char c) { return (c >= 'a' && c <= 'z') || c == '\''; });
  if (word && text[0] >= 'A' && text[0] <= 'Z') text[0] = static_cast<char>(text[0] - 'A' + 'a');
  return text;
}

}  // namespace lade
