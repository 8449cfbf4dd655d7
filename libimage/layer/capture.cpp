#include <algorithm>

#include <fcntl.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/io/path.h"
#include "libimage/layer/file_attributes.h"
#include "libimage/layer/snapshot.h"

namespace lade {
namespace {

/// A directory being walked; depth costs descriptors, not stack frames.
struct Level {
  DirFd dir;
  std::string path;                // "" is the root
  std::vector<std::string> names;  // still to do, last first
};

Level open_level(DirFd dir, std::string path) {
  Level level{std::move(dir), std::move(path), {}};
  level.names = sorted_names(level.dir);
  std::reverse(level.names.begin(), level.names.end());
  return level;
}

}  // namespace

Snapshot capture(const DirFd& root, const CaptureOptions& options) {
  Snapshot snapshot;
  FoundFile top = look_at_directory(root, options.xattrs);
  const std::uint64_t mount = top.mount;
  snapshot.emplace("", std::move(top.entry));
  std::vector<Level> levels;
  levels.push_back(open_level(duplicate(root), ""));
  while (!levels.empty()) {
    Level& level = levels.back();
    if (level.names.empty()) {
      levels.pop_back();
      continue;
    }
    const std::string name = std::move(level.names.back());
    level.names.pop_back();
    std::string path = level.path.empty() ? name : cat(level.path, "/", name);
    with_context([&] { return cat("capture ", quoted(path)); },
                 [&] {
                   std::optional<FoundFile> file = find_file(level.dir, name, options.xattrs);
                   if (!file || file->socket) return;
                   const bool enter =
                       file->entry.attributes.type == FileType::directory && file->mount == mount;
                   snapshot.emplace_hint(snapshot.end(), path, std::move(file->entry));
                   if (enter) {
                     DirFd sub(open_entry(level.dir, name, O_RDONLY | O_DIRECTORY));
                     levels.push_back(open_level(std::move(sub), std::move(path)));
                   }
                 });
  }
  return snapshot;
}

}  // namespace lade
