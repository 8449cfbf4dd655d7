#include "libimage/sandbox/mount_source.h"

#include <charconv>
#include <string_view>

#include <fcntl.h>
#include <sys/mount.h>
#include <unistd.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/io/path.h"
#include "libimage/io/stream.h"
#include "libimage/sandbox/id_map.h"
#include "libimage/sandbox/mount_call.h"
#include "libimage/sandbox/overlay_root.h"

namespace lade::sandbox {
namespace {

/// `path` inside the root of the detached mount `tree`, which is attached at `place` first: a piece
/// can be cloned only from a mount that is somewhere in this namespace.
UniqueFd attached_piece(const DirFd& tree, const std::string& place, const std::string& path) {
  const UniqueFd target(::open(place.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!target) throw_errno(cat("open ", quoted(place)));
  attach(tree.get(), target.get());
  return open_in_root(tree, path, O_PATH);
}

/// Devices on it have no effect.
UniqueFd private_copy(const UniqueFd& piece, MountOptions options) {
  UniqueFd tree = clone_mount(piece.get(), Depth::this_mount);
  options.set |= MOUNT_ATTR_NODEV;
  set_attributes(tree.get(), options, Depth::this_mount, MS_PRIVATE);
  return tree;
}

UniqueFd open_source(const std::string& source) {
  if (source.rfind("fd:", 0) != 0) {
    UniqueFd place(::open(source.c_str(), O_PATH | O_CLOEXEC));
    if (!place) throw_errno("open");
    return place;
  }
  const auto number = parse_decimal(std::string_view(source).substr(3));
  if (!number || *number > 1'000'000'000) {
    throw Error(Errc::invalid_argument, "is no descriptor");
  }
  UniqueFd place(::fcntl(static_cast<int>(*number), F_DUPFD_CLOEXEC, 3));
  if (!place) throw_errno("duplicate descriptor");
  return place;
}

void map_ids(int tree, const Mount& mount, const MountOptions& options) {
  const UniqueFd users = user_namespace_with(mount.uid_mappings, mount.gid_mappings);
  mount_attr attributes{};
  attributes.attr_set = MOUNT_ATTR_IDMAP;
  attributes.userns_fd = static_cast<std::uint64_t>(users.get());
  const unsigned below = options.id_mapped_below ? AT_RECURSIVE : 0;
  const unsigned how = AT_EMPTY_PATH | below;
  if (::mount_setattr(tree, "", how, &attributes, sizeof attributes) != 0)
    throw_errno("map its ids");
}

/// A number among the mount's own options.
unsigned number_option(const MountOptions& options, std::string_view key, int base,
                       unsigned otherwise) {
  for (const auto& [name, value] : options.data) {
    unsigned parsed = 0;
    const char* const end = value.data() + value.size();
    if (name != key) continue;
    if (std::from_chars(value.data(), end, parsed, base).ptr != end || value.empty())
      throw Error(Errc::invalid_argument, cat(key, " ", quoted(value), " is no number"));
    return parsed;
  }
  return otherwise;
}

UniqueFd make_content(const Mount& mount) {
  constexpr const char* kName = "content";
  const MountOptions options = parse_mount_options(mount);
  for (const auto& [key, value] : options.data) {
    if (key != "mode" && key != "uid" && key != "gid") {
      throw Error(Errc::invalid_argument, cat("option ", quoted(key), " is unknown"));
    }
  }
  const DirFd memory(new_mount(
      "tmpfs", "tmpfs", {.set = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, .data = {{"mode", "700"}}}));
  {
    const UniqueFd file = open_entry(memory, kName, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    FdSink(file.get(), "content").write(bytes_of(mount.content));
    if (::fchown(file.get(), number_option(options, "uid", 10, 0),
                 number_option(options, "gid", 10, 0)) != 0 ||
        ::fchmod(file.get(), number_option(options, "mode", 8, 0400)) != 0) {
      throw_errno("set owner and mode");
    }
  }
  const Staged staged(memory.get());
  return private_copy(open_in_root(memory, kName, O_PATH), options);
}

}  // namespace

UniqueFd open_bind_source(const Mount& mount) {
  const auto context = [&] {
    return cat("mount ", quoted(mount.destination), ": open source ", quoted(mount.source));
  };
  return with_context(context, [&] {
    const MountOptions options = parse_mount_options(mount);
    const Depth depth = options.recursive ? Depth::with_mounts_below : Depth::this_mount;
    const UniqueFd place = open_source(mount.source);
    UniqueFd tree = clone_mount(place.get(), depth);
    // What is to take part in the host's mounts is told so once it is attached.
    const unsigned own = MS_PRIVATE;
    const bool apart = options.propagation == 0 || options.propagation == own;
    set_attributes(tree.get(), options, depth, apart ? own : 0U);
    if (options.id_mapped) map_ids(tree.get(), mount, options);
    return tree;
  });
}

UniqueFd open_overlay_source(const Mount& mount) {
  const OverlayRoot& overlay = *mount.overlay;
  return with_context([&] { return cat("mount ", quoted(mount.destination), ": overlay"); },
                      [&] {
                        const MountedRoot mounted = mount_overlay(overlay);
                        const UniqueFd piece = attached_piece(
                            mounted.tree, overlay.upper, mount.source.empty() ? "." : mount.source);
                        return private_copy(piece, parse_mount_options(mount));
                      });
}

UniqueFd open_content_source(const Mount& mount) {
  return with_context([&] { return cat("mount ", quoted(mount.destination), ": content"); },
                      [&] { return make_content(mount); });
}

}  // namespace lade::sandbox
