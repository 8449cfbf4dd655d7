#include "libimage/layer/lower_view.h"

#include <algorithm>

#include <fcntl.h>

#include "libimage/base/error.h"
#include "libimage/io/path.h"

namespace lade {

LowerDirectory::LowerDirectory(const std::vector<const DirFd*>& layers) {
  for (const DirFd* layer : layers) {
    dirs_.push_back(std::make_shared<const DirFd>(duplicate(*layer)));
  }
}

std::optional<LowerDirectory::Found> LowerDirectory::find(const std::string& name) const {
  std::optional<Found> found;
  const auto merged = std::make_shared<LowerDirectory>();
  for (const std::shared_ptr<const DirFd>& dir : dirs_) {
    std::optional<FoundFile> file = find_file(*dir, name, true);
    if (!file) continue;
    if (file->whiteout) break;
    const bool is_directory = file->entry.attributes.type == FileType::directory;
    if (found && !is_directory) break;  // hidden by the directory above it
    const bool opaque = file->overlay.opaque;
    if (!found) {
      found.emplace();
      found->file = *std::move(file);
      found->parent = dir;
      if (!is_directory) break;
      found->directory = merged;
    }
    merged->dirs_.push_back(
        std::make_shared<const DirFd>(open_entry(*dir, name, O_RDONLY | O_DIRECTORY)));
    if (opaque) break;
  }
  return found;
}

std::vector<std::string> LowerDirectory::names() const {
  std::vector<std::string> all;
  for (const std::shared_ptr<const DirFd>& dir : dirs_) {
    std::vector<std::string> names = sorted_names(*dir);
    all.insert(all.end(), std::make_move_iterator(names.begin()),
               std::make_move_iterator(names.end()));
  }
  std::sort(all.begin(), all.end());
  all.erase(std::unique(all.begin(), all.end()), all.end());
  return all;
}

}  // namespace lade
