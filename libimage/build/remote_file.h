/// Files of http servers, for ADD and contexts.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

#include "libimage/base/timestamp.h"
#include "libimage/io/stream.h"

namespace lade::build {

/// A GET; with the validators of an earlier answer the server may say that nothing changed.
struct UrlRequest {
  std::string url = {};  ///< http or https
  std::string etag = {};
  std::string last_modified = {};  ///< as the server wrote it
  std::string authorization = {};  ///< value of that header; "": none
};

struct UrlAnswer {
  bool not_modified = false;  ///< no body then
  std::string etag = {};
  std::string last_modified = {};
  std::unique_ptr<Source> body = {};
};

/// Asks a server. Throws Error{not_found, unauthorized, denied, unavailable...} for any status but
/// 200 and 304.
using FetchUrl = std::function<UrlAnswer(const UrlRequest& request)>;

/// The name of a file of that URL: the last component of its path, decoded; "__unnamed__" where
/// that is none.
std::string file_name_of_url(std::string_view url);

/// The host of an http URL, for the names of secrets.
std::string host_of_url(std::string_view url);

/// "Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110, IMF-fixdate); nullopt for anything else.
std::optional<Timestamp> parse_http_date(std::string_view text);

}  // namespace lade::build
