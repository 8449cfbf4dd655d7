/// The headers by which Docker Hub tells its limits. Internal.
#pragma once
#include <cstdint>
#include <optional>
#include <string_view>

namespace lade::docker {

/// "100;w=21600"
struct RateHeader {
  std::uint64_t count = 0;
  std::uint64_t window_seconds = 0;  ///< 0: not told
};

/// nullopt if it is absent or no number.
std::optional<RateHeader> parse_rate(std::optional<std::string_view> value);

}  // namespace lade::docker
