#include "libimage/layer/xattrs.h"

#include <cerrno>
#include <vector>

#include <sys/xattr.h>
#include <unistd.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"

namespace lade {
namespace {

constexpr std::string_view kAccessAcl = "system.posix_acl_access";
constexpr std::string_view kDefaultAcl = "system.posix_acl_default";

/// Calls `get(buffer, size)` with a buffer that grows until the value fits.
template <typename Get>
bool read_growing(std::vector<char>& buffer, const Get& get) {
  for (;;) {
    const ssize_t got = get(buffer.data(), buffer.size());
    if (got >= 0) {
      buffer.resize(static_cast<std::size_t>(got));
      return true;
    }
    if (errno != ERANGE) return false;
    buffer.resize(buffer.size() < 65536 ? 65536 : buffer.size() * 2);
  }
}

bool is_absent(int error) noexcept {
  return error == ENODATA || error == ENOTSUP;  // EOPNOTSUPP is the same number on Linux
}

void note_overlay(std::string_view name, std::string_view value, OverlayMarks& marks) {
  if (name == "opaque") marks.opaque = value == "y";  // "x": whiteouts inside are xattrs
  if (name == "whiteout") marks.whiteout = true;
  if (name == "metacopy") marks.metacopy = true;
  if (name == "redirect") marks.redirected = true;
}

std::string_view overlay_part(std::string_view name) noexcept {
  for (const std::string_view prefix : {"trusted.overlay.", "user.overlay."}) {
    if (name.starts_with(prefix)) return name.substr(prefix.size());
  }
  return {};
}

/// linux/posix_acl_xattr.h: version 2, then entries of tag, permissions and id, little-endian.
bool is_acl(std::string_view value) noexcept {
  const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(value[at]); };
  if (value.size() < 4 || value.size() % 8 != 4) return false;
  if (byte(0) != 2 || byte(1) != 0 || byte(2) != 0 || byte(3) != 0) return false;
  for (std::size_t at = 4; at < value.size(); at += 8) {
    const unsigned tag = byte(at) | byte(at + 1) * 256U;
    const unsigned permissions = byte(at + 2) | byte(at + 3) * 256U;
    const bool known =
        tag == 0x01 || tag == 0x02 || tag == 0x04 || tag == 0x08 || tag == 0x10 || tag == 0x20;
    if (!known || permissions > 7) return false;
  }
  return true;
}

struct Calls {
  ssize_t (*list)(const char*, char*, std::size_t);
  ssize_t (*get)(const char*, const char*, void*, std::size_t);
  int (*set)(const char*, const char*, const void*, std::size_t, int);
  int (*remove)(const char*, const char*);
};

const Calls& calls_for(Named named) noexcept {
  static constexpr Calls kByEntry{::llistxattr, ::lgetxattr, ::lsetxattr, ::lremovexattr};
  static constexpr Calls kByDescriptor{::listxattr, ::getxattr, ::setxattr, ::removexattr};
  return named == Named::by_entry ? kByEntry : kByDescriptor;
}

void set_xattr(const Calls& calls, const std::string& path, const std::string& name,
               const std::string& value, Rights rights) {
  if ((name == kAccessAcl || name == kDefaultAcl) && !is_acl(value)) {
    throw Error(Errc::invalid_content, cat("malformed ", name));
  }
  if (calls.set(path.c_str(), name.c_str(), value.data(), value.size(), 0) == 0) return;
  if (rights == Rights::own && (errno == EPERM || errno == EACCES)) return;
  if (rights == Rights::kept && errno == EPERM && name.starts_with("trusted.")) return;
  if (errno == ENOTSUP) {
    throw Error(Errc::unsupported,
                cat("set ", quoted(name), ": the file system has no such extended attributes"),
                ErrnoDetail{ENOTSUP});
  }
  throw_errno(cat("set ", quoted(name)));
}

}  // namespace

Rights rights_in_store() noexcept { return ::geteuid() == 0 ? Rights::kept : Rights::own; }

bool carried_in_layers(std::string_view name) noexcept {
  if (!overlay_part(name).empty() || name == kOwnerXattr) return false;
  return name.starts_with("user.") || name.starts_with("trusted.") ||
         name == "security.capability" || name == "security.ima" || name == kAccessAcl ||
         name == kDefaultAcl;
}

FoundXattrs read_xattrs(const std::string& path, Named named) {
  const Calls& calls = calls_for(named);
  FoundXattrs found;
  char first[1024];
  std::vector<char> names;
  const ssize_t got = calls.list(path.c_str(), first, sizeof first);
  if (got == 0) return found;
  if (got > 0) {
    names.assign(first, first + got);
  } else if (is_absent(errno)) {
    return found;
  } else if (errno != ERANGE || !read_growing(names, [&](char* to, std::size_t size) {
               return calls.list(path.c_str(), to, size);
             })) {
    throw_errno("list extended attributes");
  }
  for (std::size_t at = 0; at < names.size();) {
    const std::string name(names.data() + at);
    at += name.size() + 1;
    const std::string_view overlay = overlay_part(name);
    if (overlay.empty() && !carried_in_layers(name) && name != kOwnerXattr) continue;
    std::vector<char> value(256);
    if (!read_growing(value, [&](char* to, std::size_t size) {
          return calls.get(path.c_str(), name.c_str(), to, size);
        })) {
      if (is_absent(errno)) continue;  // removed meanwhile
      throw_errno(cat("read extended attribute ", quoted(name)));
    }
    if (name == kOwnerXattr) {
      found.owner = parse_kept_owner({value.data(), value.size()});
    } else if (overlay.empty()) {
      found.carried.emplace(name, std::string(value.begin(), value.end()));
    } else {
      note_overlay(overlay, {value.data(), value.size()}, found.overlay);
    }
  }
  return found;
}

void set_xattrs(const std::string& path, Named named, const Xattrs& wanted, Rights rights) {
  const Calls& calls = calls_for(named);
  for (const auto& [name, value] : wanted) {
    if (carried_in_layers(name)) set_xattr(calls, path, name, value, rights);
  }
}

void replace_xattrs(const std::string& path, Named named, const Xattrs& wanted, Rights rights) {
  const Calls& calls = calls_for(named);
  for (const auto& [name, value] : read_xattrs(path, named).carried) {
    if (wanted.contains(name) || calls.remove(path.c_str(), name.c_str()) == 0) continue;
    if (!is_absent(errno) && sets_owners(rights)) {
      throw_errno(cat("remove extended attribute ", quoted(name)));
    }
  }
  set_xattrs(path, named, wanted, rights);
}

}  // namespace lade
