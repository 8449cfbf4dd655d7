// Url: whatever is accepted prints to a text that reads back as the same URL, and resolving against
// it never leaves http and https.
#include "libimage/http/url.h"

#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "libimage/base/error.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto url = lade::Url::try_parse(text)) {
    if (lade::Url::parse(url->str()) != *url) std::abort();
    if (url->redacted().find('?') != std::string::npos) std::abort();
    (void)url->is_internal();
  }
  static const lade::Url base = lade::Url::parse("https://registry.example:5000/v2/a/b?c=d");
  try {
    const lade::Url target = base.resolve(text);
    if (target.scheme != "http" && target.scheme != "https") std::abort();
    if (target.path.empty() || target.path.front() != '/') std::abort();
    if (lade::Url::parse(target.str()) != target) std::abort();
  } catch (const lade::Error&) {  // refused
    return 0;
  }
  return 0;
}
