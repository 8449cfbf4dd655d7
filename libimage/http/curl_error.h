/// What libcurl's results are as errors of this library. Internal to the http module.
#pragma once
#include <string>

#include "libimage/base/error.h"
#include "libimage/http/curl_api.h"

namespace lade {

Errc code_of(CURLcode result);

/// As if the system had said it: so that callers can tell that no connection came about.
ErrorDetail detail_of(CURLcode result, bool connected);

/// A sentence of libcurl's as messages here begin; abbreviations stay.
std::string lower_first(std::string text);

}  // namespace lade
