// policy.json: refused with an Error, or a policy with a verdict about every image.
#include "libimage/config/policy.h"

#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "libimage/base/error.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  try {
    const lade::Policy policy = lade::Policy::parse(text);
    if (policy.fallback.empty()) std::abort();
    const lade::ImageName name{"docker", "a.example/b:1"};
    if (lade::requirements_for(policy, name).empty()) std::abort();
    lade::check_policy(policy, name, "image");
  } catch (const lade::Error&) {  // refused
    return 0;
  }
  return 0;
}
