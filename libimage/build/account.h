/// Users and groups as an image's own /etc/passwd and /etc/group name them.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "libimage/container/root_fs.h"

namespace lade::build {

/// What a step runs as.
struct Account {
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::vector<std::uint32_t> additional_gids = {};
  std::string home = "/";
};

/// Resolves USER text "user[:group]" ("" is root). A user without a group gets its primary group
/// and the groups that list it; digits are always the number, and one that /etc/passwd lacks has
/// group 0. With a group
/// given there are no others. The primary group is among the additional ones too (CVE-2023-25173).
/// Throws Error{invalid_argument} for unknown names and numbers out of range.
Account resolve_account(RootFs& root, std::string_view text);

struct Owner {
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  bool operator==(const Owner&) const = default;
};

/// Resolves --chown "user[:group]": a numeric user alone is its own group, a named one has its
/// primary group. Throws as resolve_account().
Owner resolve_owner(RootFs& root, std::string_view text);

/// Both on the files' texts, for the functions above and for tests.
Account account_of(std::string_view passwd, std::string_view group, std::string_view text);
Owner owner_of(std::string_view passwd, std::string_view group, std::string_view text);

}  // namespace lade::build
