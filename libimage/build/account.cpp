#include "libimage/build/account.h"

#include <algorithm>
#include <optional>

#include "libimage/base/error.h"
#include "libimage/base/text.h"

namespace lade::build {
namespace {

constexpr std::uint64_t kMaxFileBytes = std::uint64_t{10} << 20U;  // as BuildKit bounds them
constexpr std::uint64_t kMaxId = 2147483647;  // runc's limit: larger ones are negative to C

struct PasswdLine {
  std::string_view name;
  std::uint32_t uid, gid;
  std::string_view home;
};

std::optional<std::uint32_t> number_of(std::string_view text) {
  if (text.empty() || text.find_first_not_of("0123456789") != std::string_view::npos)
    return std::nullopt;
  const auto value = parse_decimal(text);
  if (!value || *value > kMaxId)
    throw Error(Errc::invalid_argument, cat("id ", quoted(text), " is out of range"));
  return static_cast<std::uint32_t>(*value);
}

std::optional<std::uint32_t> id_field(std::string_view text) {
  const auto value = parse_decimal(text);
  if (!value || *value > kMaxId) return std::nullopt;
  return static_cast<std::uint32_t>(*value);
}

/// The first line for which `wanted(fields)`; lines that are not of the format are passed over.
template <typename Wanted>
std::optional<PasswdLine> find_user(std::string_view passwd, const Wanted& wanted) {
  for (const std::string_view line : split(passwd, '\n')) {
    const auto fields = split(trimmed(line), ':');
    if (fields.size() < 6 || fields[0].empty()) continue;
    const auto uid = id_field(fields[2]);
    const auto gid = id_field(fields[3]);
    if (!uid || !gid) continue;
    const PasswdLine user{.name = fields[0], .uid = *uid, .gid = *gid, .home = fields[5]};
    if (wanted(user)) return user;
  }
  return std::nullopt;
}

std::optional<std::uint32_t> find_group(std::string_view group, std::string_view name) {
  for (const std::string_view line : split(group, '\n')) {
    const auto fields = split(trimmed(line), ':');
    if (fields.size() >= 3 && fields[0] == name) {
      if (const auto gid = id_field(fields[2])) return gid;
    }
  }
  return std::nullopt;
}

std::vector<std::uint32_t> groups_with(std::string_view group, std::string_view user) {
  std::vector<std::uint32_t> out;
  for (const std::string_view line : split(group, '\n')) {
    const auto fields = split(trimmed(line), ':');
    if (fields.size() < 4) continue;
    const auto gid = id_field(fields[2]);
    const auto members = split(fields[3], ',');
    if (gid && std::find(members.begin(), members.end(), user) != members.end())
      out.push_back(*gid);
  }
  return out;
}

struct UserAndGroup {
  std::string_view user, group;
  bool has_group = false;
};

UserAndGroup split_user(std::string_view text) {
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos) return {.user = text, .group = {}};
  const UserAndGroup out{
      .user = text.substr(0, colon), .group = text.substr(colon + 1), .has_group = true};
  if (out.group.find(':') != std::string_view::npos)
    throw Error(Errc::invalid_argument,
                cat("user ", quoted(text), " is not of the form user:group"));
  return out;
}

std::uint32_t group_id(std::string_view group, std::string_view name) {
  if (const auto number = number_of(name)) return *number;
  if (const auto found = find_group(group, name)) return *found;
  if (name == "root") return 0;
  throw Error(Errc::invalid_argument,
              cat("group ", quoted(name), " is not in the image's /etc/group"));
}

[[noreturn]] void unknown_user(std::string_view name) {
  throw Error(Errc::invalid_argument,
              cat("user ", quoted(name), " is not in the image's /etc/passwd"));
}

std::string small_file(RootFs& root, const std::string& path) {
  return root.read_small(root.resolve(path), kMaxFileBytes).value_or("");
}

}  // namespace

Account account_of(std::string_view passwd, std::string_view group, std::string_view text) {
  const UserAndGroup spec = split_user(text);
  const std::string_view name = spec.user.empty() ? "root" : spec.user;
  Account out;
  const auto number = number_of(name);
  // Digits are never looked up as a name: an image whose passwd says "1000:x:0:0" must not make
  // root of user 1000 (CVE-2016-3697).
  const auto user = find_user(passwd, [&](const PasswdLine& line) {
    return number ? line.uid == *number : line.name == name;
  });
  if (user) {
    out.uid = user->uid;
    out.gid = user->gid;
    if (user->home.starts_with('/')) out.home = user->home;
  } else if (number) {
    out.uid = *number;
  } else if (name == "root") {
    out.home = "/root";
  } else {
    unknown_user(name);
  }
  if (spec.has_group && !spec.group.empty()) {
    out.gid = group_id(group, spec.group);
  } else if (user) {
    out.additional_gids = groups_with(group, user->name);
  }
  if (std::find(out.additional_gids.begin(), out.additional_gids.end(), out.gid) ==
      out.additional_gids.end())
    out.additional_gids.insert(out.additional_gids.begin(), out.gid);
  return out;
}

Owner owner_of(std::string_view passwd, std::string_view group, std::string_view text) {
  const UserAndGroup spec = split_user(text);
  if (spec.user.empty())
    throw Error(Errc::invalid_argument, cat("owner ", quoted(text), " names no user"));
  Owner out;
  if (const auto number = number_of(spec.user)) {
    out = {*number, *number};
  } else if (const auto user = find_user(
                 passwd, [&](const PasswdLine& line) { return line.name == spec.user; })) {
    out = {user->uid, user->gid};
  } else if (spec.user != "root") {
    unknown_user(spec.user);
  }
  if (spec.has_group && !spec.group.empty()) out.gid = group_id(group, spec.group);
  return out;
}

namespace {

bool is_number(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

}  // namespace

Account resolve_account(RootFs& root, std::string_view text) {
  return account_of(small_file(root, "etc/passwd"), small_file(root, "etc/group"), text);
}

Owner resolve_owner(RootFs& root, std::string_view text) {
  const UserAndGroup spec = split_user(text);
  // Numbers and root need no file, so that nothing is unpacked for them.
  const auto needs_no_file = [](std::string_view name) {
    return is_number(name) || name == "root";
  };
  if (needs_no_file(spec.user) && (!spec.has_group || needs_no_file(spec.group)))
    return owner_of("", "", text);
  return owner_of(small_file(root, "etc/passwd"), small_file(root, "etc/group"), text);
}

}  // namespace lade::build
