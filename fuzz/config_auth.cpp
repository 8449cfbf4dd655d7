// auth.json: refused with an Error, or read to entries under normalised keys.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "libimage/base/error.h"
#include "libimage/config/auth_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  try {
    const lade::AuthFile file = lade::AuthFile::parse(text);
    for (const auto& [key, entry] : file.auths) {
      if (lade::auth_key(key) != key) std::abort();
    }
    if (file.creds_store.find('/') != std::string::npos) std::abort();
  } catch (const lade::Error&) {  // refused
    return 0;
  }
  return 0;
}
