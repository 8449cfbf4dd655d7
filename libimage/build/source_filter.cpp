#include "libimage/build/source_filter.h"

#include <algorithm>

#include "libimage/base/text.h"

namespace lade::build {
namespace {

/// True if `glob` matches `path` or a directory above it.
bool covers(const PathGlob& glob, std::string_view path) {
  for (std::size_t end = path.find('/');; end = path.find('/', end + 1)) {
    if (glob.matches(path.substr(0, end))) return true;
    if (end == std::string_view::npos) return false;
  }
}

std::string joined(const std::string& directory, const std::string& name) {
  return directory.empty() ? name : cat(directory, "/", name);
}

}  // namespace

std::string_view FilteredTree::below_top(const std::string& path) const {
  return std::string_view(path).substr(top_.empty() ? 0 : top_.size() + 1);
}

bool FilteredTree::is_taken(std::string_view relative) const {
  if (rules_.include && !covers(*rules_.include, relative)) return false;
  return rules_.exclude.empty() || !rules_.exclude.ignores(relative);
}

bool FilteredTree::shows(const std::string& path) {
  const std::string_view relative = below_top(path);
  if (is_taken(relative)) return true;
  // Below an excluded directory only '!' takes something again; below one that is merely not
  // included yet anything may be.
  if (!rules_.exclude.may_include_again() && !rules_.exclude.empty() &&
      rules_.exclude.ignores(relative))
    return false;
  if (!rules_.include && !rules_.exclude.may_include_again()) return false;
  const auto found = inner_.lookup(path);
  if (!found || found->type != FileType::directory) return false;
  {
    const std::scoped_lock lock(mutex_);
    const auto known = directories_.find(path);
    if (known != directories_.end()) return known->second;
  }
  const bool shown = !list(path).empty();
  const std::scoped_lock lock(mutex_);
  directories_[path] = shown;
  return shown;
}

std::vector<std::string> FilteredTree::list(const std::string& path) {
  std::vector<std::string> names = inner_.list(path);
  std::erase_if(names, [&](const std::string& name) { return !shows(joined(path, name)); });
  return names;
}

}  // namespace lade::build
