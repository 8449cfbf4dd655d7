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
  std::string path;  // "" is the root
  LowerDirectory lower;
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
    enter(DirFd(duplicate(*upper)), "", std::move(merged));
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

  void enter(DirFd dir, std::string path, LowerDirectory lower) {
    Level level{std::move(dir), std::move(path), std::move(lower), {}};
    level.names = sorted_names(level.dir);
    std::reverse(level.names.begin(), level.names.end());
    levels_.push_back(std::move(level));
  }

  void visit(Level& level, const std::string& name, const std::string& path) {
    const std::optional<FoundFile> file = find_file(level.dir, name, true);
    if (!file) return;
    const std::optional<Found> lower = level.lower.find(name);
    if (file->whiteout) {
      if (lower || !any_lower_) changes_.add_whiteout(path);
      return;
    }
    if (file->overlay.metacopy || file->overlay.redirected) {
      throw Error(Errc::unsupported, "overlayfs with metacopy or redirect_dir is not supported");
    }
    if (file->entry.attributes.type == FileType::directory) {
      visit_directory(level, name, path, *file, lower);
    } else {
      changes_.add(path, file->entry, state(lower && is_same(level.dir, name, *file, *lower)));
    }
  }

  void visit_directory(Level& level, const std::string& name, const std::string& path,
                       const FoundFile& file, const std::optional<Found>& lower) {
    const bool merges = lower && lower->directory && !file.overlay.opaque;
    const bool same = merges && lower->file.entry.attributes == file.entry.attributes;
    changes_.add(path, file.entry, state(same));
    if (file.overlay.opaque && (!any_lower_ || (lower && lower->directory))) {
      changes_.add_opaque(path);
    }
    // `level` is gone after enter(): the vector may move.
    enter(DirFd(open_entry(level.dir, name, O_RDONLY | O_DIRECTORY)), path,
          merges ? LowerDirectory(*lower->directory) : LowerDirectory());
  }

  /// A file that was copied up for a change that did not come, or was taken back.
  static bool is_same(const DirFd& dir, const std::string& name, const FoundFile& file,
                      const Found& lower) {
    if (file.entry.attributes != lower.file.entry.attributes) return false;
    return file.entry.attributes.type != FileType::regular ||
           same_content_at(dir, *lower.parent, name);
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
