// What an engine answers is read without harm, and what is told of it is safe to print.
#include "libimage/transports/engine_json.h"

#include <algorithm>

#include "libimage/base/error.h"

#include "fuzz/property.h"

using namespace lade;

namespace {

bool is_printable(const std::string& text) {
  return std::none_of(text.begin(), text.end(),
                      [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = fuzz::text_of(data, size);
  fuzz::require(is_printable(engine::parse_message(text)));
  try {
    fuzz::require(is_printable(engine::parse_load_failure(text)));
  } catch (const Error&) {  // refused
  }
  return 0;
}
