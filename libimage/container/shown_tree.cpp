#include "libimage/container/shown_tree.h"

#include <cerrno>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/container/root_fs_state.h"
#include "libimage/container/tree_copy.h"
#include "libimage/io/path.h"

namespace lade {
namespace {

/// The directory `path` of `upper`, with those above it, looking like the lower tree's.
DirFd mirrored_directory(const DirFd& lower, const DirFd& upper, const std::string& path) {
  DirFd above = duplicate(lower);
  DirFd made = duplicate(upper);
  if (path.empty()) return made;
  for (const std::string_view part : split(path, '/')) {
    const std::string name(part);
    if (::mkdirat(made.get(), name.c_str(), 0700) != 0 && errno != EEXIST)
      throw_errno(cat("create directory ", quoted(name)));
    above = DirFd(open_entry(above, name, O_RDONLY | O_DIRECTORY));
    made = DirFd(open_entry(made, name, O_RDONLY | O_DIRECTORY));
    copy_directory_attributes(above, made);
  }
  return made;
}

void hide(const DirFd& lower, const DirFd& upper, const std::string& path) {
  const std::size_t slash = path.rfind('/');
  const std::string parent = slash == std::string::npos ? "" : path.substr(0, slash);
  const std::string name = slash == std::string::npos ? path : path.substr(slash + 1);
  const DirFd place = mirrored_directory(lower, upper, parent);
  if (::mknodat(place.get(), name.c_str(), S_IFCHR, makedev(0, 0)) != 0 && errno != EEXIST)
    throw_errno(cat("hide ", quoted(path)));
}

sandbox::Mount mount_of(const ShownPiece& piece, std::string type) {
  return {.destination = piece.destination,
          .type = std::move(type),
          .source = {},
          .options = {"nosuid", "nodev"}};
}

ShownTree show_overlay(LocalStore& store, std::vector<std::string> lower, const ShownPiece& piece) {
  ShownTree shown{.room = store.workspace(), .mount = mount_of(piece, "overlay")};
  const DirFd top = open_dir(lower.front());
  const DirFd upper = open_dir(shown.room->fs_path());
  for (const std::string& path : piece.hidden) hide(top, upper, path);
  copy_directory_attributes(top, upper);
  shown.mount.source = piece.source;
  shown.mount.overlay = sandbox::OverlayRoot{
      .lower = std::move(lower), .upper = shown.room->fs_path(), .work = shown.room->work_path()};
  return shown;
}

/// Gives all of `dir` to 0:0; privileged attributes that a change of owner takes away are those
/// that a stranger's file must not have either.
void give_to_root(const DirFd& dir) {
  for (const std::string& name : list_names(dir)) {
    const auto status = stat_entry(dir, name);
    if (!status) continue;
    if (S_ISDIR(status->st_mode))
      give_to_root(DirFd(open_entry(dir, name, O_RDONLY | O_DIRECTORY)));
    if (status->st_uid == 0 && status->st_gid == 0) continue;
    if (::fchownat(dir.get(), name.c_str(), 0, 0, AT_SYMLINK_NOFOLLOW) != 0)
      throw_errno(cat("change the owner of ", quoted(name)));
    if (!S_ISLNK(status->st_mode) &&
        ::fchmodat(dir.get(), name.c_str(), status->st_mode & 07777, 0) != 0)
      throw_errno(cat("change the mode of ", quoted(name)));
  }
}

/// `tree` null: it is empty.
ShownTree show_copy(LocalStore& store, const DirFd* tree, const ShownPiece& piece) {
  ShownTree shown{.room = store.workspace(), .mount = mount_of(piece, "bind")};
  const DirFd copy = open_dir(shown.room->fs_path());
  if (tree != nullptr) copy_tree(*tree, copy);
  for (const std::string& path : piece.hidden) {
    const ParentAndName place = open_parent_in_root(copy, path);
    remove_tree(place.parent, place.name);
  }
  if (piece.owners == ShownPiece::Owners::root) {
    give_to_root(copy);
    if (::fchown(copy.get(), 0, 0) != 0) throw_errno("change the owner of a directory");
  }
  shown.piece = open_in_root(copy, piece.source.empty() ? "." : piece.source, O_PATH);
  shown.mount.source = cat("fd:", shown.piece.get());
  return shown;
}

}  // namespace

ShownTree show_directory(LocalStore& store, const std::string& path, const ShownPiece& piece) {
  const bool plain = piece.owners == ShownPiece::Owners::as_they_are;
  if (plain && overlay_works(store)) return show_overlay(store, {path}, piece);
  const DirFd tree = open_dir(path);
  return show_copy(store, &tree, piece);
}

ShownTree copied_directory(LocalStore& store, const std::string& path, const ShownPiece& piece) {
  const DirFd tree = open_dir(path);
  return show_copy(store, &tree, piece);
}

ShownTree show_root(LocalStore& store, const RootFs& root, const ShownPiece& piece) {
  std::vector<std::string> trees = root.trees();
  if (trees.empty()) return show_copy(store, nullptr, piece);
  if (root.runs_on_overlay()) return show_overlay(store, std::move(trees), piece);
  const DirFd tree = open_dir(trees.front());
  return show_copy(store, &tree, piece);
}

}  // namespace lade
