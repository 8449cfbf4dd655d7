#include "libimage/io/kept_owner.h"

#include "libimage/base/text.h"

namespace lade {

std::string kept_owner_text(const KeptOwner& owner) { return cat(owner.uid, ":", owner.gid); }

std::optional<KeptOwner> parse_kept_owner(std::string_view text) {
  constexpr std::uint64_t kMost = 0xfffffffeU;  // (uid_t)-1 is no id
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const auto uid = parse_decimal(text.substr(0, colon));
  const auto gid = parse_decimal(text.substr(colon + 1));
  if (!uid || !gid || *uid > kMost || *gid > kMost) return std::nullopt;
  return KeptOwner{static_cast<std::uint32_t>(*uid), static_cast<std::uint32_t>(*gid)};
}

}  // namespace lade
