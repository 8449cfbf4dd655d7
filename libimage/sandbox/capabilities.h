/// Linux capabilities by name and number (capabilities(7)).
#pragma once
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace lade::sandbox {

/// The number of "CAP_CHOWN"; nullopt for a name that Linux does not have.
std::optional<unsigned> capability_number(std::string_view name) noexcept;

/// Every name that Linux has, by number.
std::vector<std::string> capability_names();

/// The bits of `names`; Error{invalid_argument} names one that is unknown.
std::uint64_t capability_mask(const std::set<std::string>& names);

}  // namespace lade::sandbox
