#include <algorithm>

#include <fcntl.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/io/path.h"
#include "libimage/layer/change_list.h"
#include "libimage/layer/file_attributes.h"
#include "libimage/layer/lower_view.h"
#include "libimage/layer/snapshot.h"

namespace lade {
namespace {

/// A directory of the upper and what the lower layers have in its place.
struct Level {
  DirFd dir;
  std::string path;                // "" is the root
  LowerDirectory lower;            // what it is compared with
  bool replaces = false;           // what the lower layers have here does not show
  std::vector<std::string> names;  // still to do, last first
};

class UpperWalk {
 public:
  UpperWalk(const std::shared_ptr<const DirFd>& upper, const std::vector<const DirFd*>& lower)
      : changes_(upper), any_lower_(!lower.empty()) {
    LowerDirectory merged(lower);
    const FoundFile root = look_at_directory(*upper, true);
    const bool same =
        any_lower_ &&
        same_root(look_at_directory(*lower.front(), true).entry.attributes, root.entry.attributes);
    changes_.add("", root.entry, state(same));
    enter(DirFd(duplicate(*upper)), "", std::move(merged), false);
  }

  std::vector<LayerEntry> run() {
    while (!levels_.empty()) {
      Level& level = levels_.back();
      if (level.names.empty()) {
        levels_.pop_back();
        continue;
      }
      const std::string name = std::move(level.names.back());
      level.names.pop_back();
      std::string path = level.path.empty() ? name : cat(level.path, "/", name);
      with_context([&] { return cat("read changes: ", quoted(path)); },
                   [&] { visit(level, name, path); });
    }
    return changes_.finish();
  }

 private:
  using Found = LowerDirectory::Found;

  static ChangeList::State state(bool same) noexcept {
    return same ? ChangeList::State::unchanged : ChangeList::State::changed;
  }

  void enter(DirFd dir, std::string path, LowerDirectory lower, bool replaces) {
    Level level{std::move(dir), std::move(path), std::move(lower), replaces, {}};
    level.names = sorted_names(level.dir);
    if (replaces) hide_others(level);
    std::reverse(level.names.begin(), level.names.end());
    levels_.push_back(std::move(level));
  }

  /// Whiteouts for the lower names that the directory did not get again: what remains can then be
  /// compared, and the layer is the same as where two whole trees are compared (diff()).
  void hide_others(const Level& level) {
    for (const std::string& name : level.lower.names()) {
      if (std::binary_search(level.names.begin(), level.names.end(), name)) continue;
      if (level.lower.find(name)) changes_.add_whiteout(cat(level.path, "/", name));
    }
  }

  void visit(Level& level, const std::string& name, const std::string& path) {
    const std::optional<FoundFile> file = find_file(level.dir, name, true);
    if (!file) return;
    const std::optional<Found> lower = level.lower.find(name);
    if (file->whiteout) {
      if (lower || (!any_lower_ && !file->socket)) changes_.add_whiteout(path);
      return;
    }
    if (file->overlay.metacopy || file->overlay.redirected) {
      throw Error(Errc::unsupported, "overlayfs with metacopy or redirect_dir is not supported");
    }
    if (file->entry.attributes.type == FileType::directory) {
      visit_directory(level, name, path, *file, lower);
    } else {
      changes_.add(path, file->entry, state(lower && is_same(level, name, *file, *lower)));
    }
  }

  void visit_directory(Level& level, const std::string& name, const std::string& path,
                       const FoundFile& file, const std::optional<Found>& lower) {
    const bool both = lower && lower->directory;
    const bool same = both && lower->file.entry.attributes == file.entry.attributes;
    changes_.add(path, file.entry, state(same));
    if (file.overlay.opaque && !any_lower_) changes_.add_opaque(path);
    // overlayfs marks the topmost directory only: those inside do not merge either.
    const bool replaces = both && (level.replaces || file.overlay.opaque);
    // `level` is gone after enter(): the vector may move.
    enter(DirFd(open_entry(level.dir, name, O_RDONLY | O_DIRECTORY)), path,
          both ? LowerDirectory(*lower->directory) : LowerDirectory(), replaces);
  }

  /// A file that was copied up for a change that did not come, or was taken back, or was made again
  /// as it was. Hard links in the upper directory are the step's own, as copying up makes none, and
  /// a file made again has left those that it had.
  static bool is_same(const Level& level, const std::string& name, const FoundFile& file,
                      const Found& lower) {
    if (file.entry.inode.links > 1 || (level.replaces && lower.file.entry.inode.links > 1)) {
      return false;
    }
    if (file.entry.attributes != lower.file.entry.attributes) return false;
    return file.entry.attributes.type != FileType::regular ||
           same_content_at(level.dir, *lower.parent, name);
  }

  ChangeList changes_;
  bool any_lower_;
  std::vector<Level> levels_;
};

}  // namespace

std::vector<LayerEntry> changes_of_upper(std::shared_ptr<const DirFd> upper,
                                         const std::vector<const DirFd*>& lower) {
  return UpperWalk(upper, lower).run();
}

}  // namespace lade
