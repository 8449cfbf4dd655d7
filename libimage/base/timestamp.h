#pragma once
#include <compare>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace lade {

/// A point in time: seconds since 1970-01-01T00:00:00Z and nanoseconds (0 to 999,999,999) past
/// them.
struct Timestamp {
  std::int64_t seconds = 0;
  std::uint32_t nanoseconds = 0;
  auto operator<=>(const Timestamp&) const = default;
};

/// What tells the time; a parameter, so that tests and SOURCE_DATE_EPOCH can stop it.
using Clock = std::function<Timestamp()>;

/// The machine's clock.
Timestamp system_now();

/// "2026-11-24T05:28:00Z", with a fraction of up to 9 digits where there is one (RFC 3339, always
/// UTC).
std::string to_rfc3339(const Timestamp& time);

/// Reads RFC 3339 with any offset; nullopt if it is not one.
std::optional<Timestamp> parse_rfc3339(std::string_view text);

}  // namespace lade
