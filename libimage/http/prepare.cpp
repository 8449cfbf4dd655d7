#include "libimage/http/prepare.h"

#include <exception>

#include "libimage/http/curl_api.h"

namespace lade {

void prepare_http() noexcept {
  try {
    (void)curl_api();
  } catch (const std::exception&) {  // see above
    return;
  }
}

}  // namespace lade
