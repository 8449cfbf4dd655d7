/// Finds and makes directories inside a root that nothing can leave, for one entry of a layer after
/// another. Internal to the layer module.
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libimage/base/timestamp.h"
#include "libimage/base/unique_fd.h"
#include "libimage/layer/lower_view.h"
#include "libimage/layer/path_set.h"
#include "libimage/layer/set_attributes.h"

namespace lade {

/// A directory below the root, reached without links.
struct TreeDirectory {
  DirFd fd;               ///< O_PATH
  std::string path = {};  ///< from the root, links resolved
  PathKey key = {};       ///< of `path`
};

/// Every directory is opened by its name in the one above, without following links and without
/// crossing mounts (openat2); links are read and resolved here, with ".." and absolute targets
/// clamped to the root. So no answer of the kernel can lead outside, whatever another process
/// renames meanwhile.
class TreeCursor {
 public:
  struct Options {
    bool overlay = false;  ///< whiteouts in the tree are overlayfs's
    std::vector<const DirFd*> lower = {};
    Rights rights = Rights::all;
  };
  TreeCursor(const DirFd& root, Options options);
  ~TreeCursor();
  TreeCursor(const TreeCursor&) = delete;
  TreeCursor& operator=(const TreeCursor&) = delete;

  /// The directory `path` (clean), made with its parents where it is missing, which is now the
  /// current one: it keeps its mtime whatever is made in it. Valid until the next call.
  TreeDirectory& enter(std::string_view path);
  /// As enter(), but nullptr where it would have to be made.
  TreeDirectory* enter_existing(std::string_view path);
  /// As enter(), but only what the lower layers have is made (anything, if they are not known), and
  /// does not count as made by this layer; nullptr if the merged tree has no such directory.
  TreeDirectory* enter_lower(std::string_view path);
  /// Another directory, nullopt if it is missing; the current one stays.
  std::optional<TreeDirectory> find(std::string_view path);
  /// Leaves the current directory.
  void leave();
  /// A directory or link was removed or replaced: the next enter() looks again.
  void forget() noexcept { stale_ = true; }

  /// Opens the subdirectory `name`; an empty DirFd and errno if that is no directory.
  static DirFd open_subdirectory(const DirFd& dir, const std::string& name) noexcept;
  /// Removes the directory's hold on lower layers (overlay).
  void make_opaque(const DirFd& dir, PathKey key);
  /// The lower layers' directory behind `path` (links resolved), as far as it shows.
  [[nodiscard]] LowerDirectory lower_at(std::string_view path) const;
  /// What this layer made, parents of its entries included.
  PathSet& made() noexcept { return made_; }

 private:
  enum class Missing { make, make_as_below, report };
  class Walk;
  friend class Walk;
  TreeDirectory* enter(std::string_view path, Missing missing);
  std::optional<TreeDirectory> walk(std::string_view path, Missing missing);
  void restore_mtime(const DirFd& dir, const Timestamp& mtime) const;

  const DirFd& root_;
  Options options_;
  PathSet made_;
  PathSet opaque_;
  std::optional<TreeDirectory> current_;
  std::string asked_;  // the spelling that led to current_
  Timestamp mtime_;    // of current_ when it was entered
  bool stale_ = false;
};

}  // namespace lade
