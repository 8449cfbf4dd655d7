#include "libimage/sandbox/mount_call.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <unistd.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"

namespace lade::sandbox {

void attach(int tree, int target) {
  if (::move_mount(tree, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) != 0) {
    throw_errno("attach mount");
  }
}

UniqueFd new_mount(const std::string& type, const std::string& source,
                   const MountOptions& options) {
  const UniqueFd context(::fsopen(type.c_str(), FSOPEN_CLOEXEC));
  if (!context) throw_errno("open file system");
  const std::string& shown = source.empty() ? type : source;
  (void)::fsconfig(context.get(), FSCONFIG_SET_STRING, "source", shown.c_str(), 0);
  for (const auto& [key, value] : options.data) {
    const bool word = value.size() == 1 && value.front() == kNoValue;
    const unsigned how = word ? FSCONFIG_SET_FLAG : FSCONFIG_SET_STRING;
    if (::fsconfig(context.get(), how, key.c_str(), word ? nullptr : value.c_str(), 0) != 0) {
      throw_errno(cat("set option ", quoted(key)));
    }
  }
  // As mount(2) has it: the file system itself is read-only too, unless something is put in first.
  if ((options.set & MOUNT_ATTR_RDONLY) != 0 && !options.copies_up &&
      ::fsconfig(context.get(), FSCONFIG_SET_FLAG, "ro", nullptr, 0) != 0) {
    throw_errno("set option 'ro'");
  }
  if (::fsconfig(context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) != 0) {
    throw_errno("create file system");
  }
  UniqueFd tree(::fsmount(context.get(), FSMOUNT_CLOEXEC, static_cast<unsigned>(options.set)));
  if (!tree) throw_errno("mount file system");
  return tree;
}

UniqueFd clone_mount(int place, Depth depth) {
  const unsigned below = depth == Depth::with_mounts_below ? AT_RECURSIVE : 0U;
  UniqueFd tree(
      ::open_tree(place, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | below));
  if (!tree) throw_errno("clone mount");
  return tree;
}

Staged::Staged(int tree) {
  const UniqueFd root(::open("/", O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!root) throw_errno("open the root");
  attach(tree, root.get());
}

Staged::~Staged() { (void)::umount2("/", MNT_DETACH); }

void set_attributes(int tree, const MountOptions& options, Depth depth, unsigned propagation) {
  const unsigned below = depth == Depth::with_mounts_below ? AT_RECURSIVE : 0U;
  mount_attr own{};
  own.attr_set = options.set;
  own.attr_clr = options.clear;
  if (own.attr_set != 0 || own.attr_clr != 0) {
    if (::mount_setattr(tree, "", AT_EMPTY_PATH, &own, sizeof own) != 0) {
      throw_errno("set mount attributes");
    }
  }
  mount_attr all{};
  all.attr_set = options.below.set;
  all.attr_clr = options.below.clear;
  all.propagation = propagation;
  if (all.attr_set == 0 && all.attr_clr == 0 && propagation == 0) return;
  const bool needs_below = all.attr_set != 0 || all.attr_clr != 0;
  const unsigned how = AT_EMPTY_PATH | (needs_below ? AT_RECURSIVE : below);
  if (::mount_setattr(tree, "", how, &all, sizeof all) != 0) throw_errno("set mount attributes");
}

}  // namespace lade::sandbox
