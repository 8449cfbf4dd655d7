/// How a user without privileges gets the rights that containers need: a user namespace of its own,
/// with the subordinate ids of /etc/subuid and /etc/subgid where there are any, else with one id.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace lade::sandbox {

struct IdRange {
  std::uint32_t first = 0;
  std::uint32_t count = 0;
  bool operator==(const IdRange&) const = default;
};

/// What `text` (subuid(5)) gives to the user of that name or number, in order. Lines that are none
/// are left out, as newuidmap does.
std::vector<IdRange> subordinate_ranges(std::string_view text, std::string_view name,
                                        std::uint32_t uid);

/// True if this process is root of no namespace that it could make containers in: another user, or
/// root without CAP_SYS_ADMIN.
bool needs_user_namespace();

/// True if this process is not in the first user namespace.
bool in_user_namespace();

/// True if it is in one that has a single user id.
bool has_one_id();

struct UserNamespaceOptions {
  std::string search_path = {};  ///< PATH, for newuidmap and newgidmap
  std::string subuid = "/etc/subuid";
  std::string subgid = "/etc/subgid";
};

struct UserNamespace {
  std::uint64_t ids = 1;     ///< how many user ids it has
  std::string why_one = {};  ///< why it has one only, and what would give more
};

/// Puts this process, which must have one thread, into a new user namespace as its root, and into a
/// new mount namespace. Error{denied, unsupported} names the setting that forbids it.
UserNamespace enter_user_namespace(const UserNamespaceOptions& options);

}  // namespace lade::sandbox
