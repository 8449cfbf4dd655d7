/// The owner of a file that this user namespace has no id for, kept beside the file. No layer
/// carries the attribute: who reads a tree takes it for the owner.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace lade {

inline constexpr const char* kOwnerXattr = "user.lade.owner";

struct KeptOwner {
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  bool operator==(const KeptOwner&) const = default;
};

/// "UID:GID".
std::string kept_owner_text(const KeptOwner& owner);
/// nullopt for what kept_owner_text() does not write.
std::optional<KeptOwner> parse_kept_owner(std::string_view text);

}  // namespace lade
