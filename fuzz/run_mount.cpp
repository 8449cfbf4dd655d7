// What follows RUN --mount=: whatever is accepted has a target or a place of its own.
#include "libimage/build/run_mount.h"

#include "libimage/base/error.h"

#include "fuzz/property.h"

using namespace lade;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = fuzz::text_of(data, size);
  const build::Expander expander(
      [](std::string_view) -> std::optional<std::string> { return "value"; });
  try {
    const build::RunMount mount = build::parse_run_mount(text, expander);
    const bool own_place =
        mount.kind == build::RunMount::Kind::secret || mount.kind == build::RunMount::Kind::ssh;
    fuzz::require(own_place || !mount.target.empty());
    fuzz::require(!mount.mode || *mount.mode <= 07777);
    fuzz::require(build::from_of_run_mount(text) == mount.from);
  } catch (const Error&) {  // refused
  }
  return 0;
}
