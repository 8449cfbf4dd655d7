// A template and, after a line "---", the JSON that it works on: refused with an Error, or executed
// within its limits.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "libimage/base/error.h"
#include "libimage/template/format.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::string_view separator = "\n---\n";
  const std::size_t at = input.find(separator);
  const std::string_view text = input.substr(0, at);
  const std::string_view json =
      at == std::string_view::npos ? "{}" : input.substr(at + separator.size());
  constexpr lade::templates::Limits kLimits{
      .max_output = 4096, .max_steps = 20'000, .max_depth = 20};
  std::string out;
  try {
    const lade::templates::Value value = lade::templates::from_json(json);
    lade::templates::Template::parse("fuzz", text).execute(value, out, kLimits);
    std::string rows;
    lade::templates::render_format(std::string(text), {value}, {.limits = kLimits}, rows);
  } catch (const lade::Error&) {  // refused
  }
  if (out.size() > kLimits.max_output) std::abort();
  return 0;
}
