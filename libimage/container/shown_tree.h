/// A tree, or a piece of one, as a step sees it beside its own root (RUN --mount=type=bind): what
/// the step writes there is kept apart and dropped.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "libimage/base/unique_fd.h"
#include "libimage/container/root_fs.h"
#include "libimage/local/local_store.h"
#include "libimage/sandbox/runtime_config.h"

namespace lade {

/// Keep it until the step has ended.
struct ShownTree {
  std::unique_ptr<LocalStore::Workspace> room = {};
  UniqueFd piece = {};  ///< what `mount` names by its number, where it names one
  sandbox::Mount mount = {};
};

struct ShownPiece {
  std::string source = {};       ///< path in the tree, links followed inside it; "": all
  std::string destination = {};  ///< in the step
  /// `root`: everything shows as 0:0, whoever it belongs to; then the piece is copied.
  enum class Owners { as_they_are, root } owners = Owners::as_they_are;
  std::vector<std::string> hidden = {};  ///< clean paths in the tree that the step does not see
};

/// Shows a piece of the directory `path` of this machine.
ShownTree show_directory(LocalStore& store, const std::string& path, const ShownPiece& piece);

/// A copy of a piece of the directory `path`: `piece` of what is returned is it.
ShownTree copied_directory(LocalStore& store, const std::string& path, const ShownPiece& piece);

/// Shows a piece of `root`.
ShownTree show_root(LocalStore& store, const RootFs& root, const ShownPiece& piece);

}  // namespace lade
