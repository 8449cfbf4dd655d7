#include "libimage/build/root_tree.h"

#include <fcntl.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/build/build_context.h"
#include "libimage/io/path.h"
#include "libimage/task/run_graph.h"

namespace lade::build {

std::optional<Attributes> RootTree::lookup(const std::string& path) {
  std::optional<Attributes> found = root_.lookup(path);
  if (!found && path.empty())
    found = Attributes{.type = FileType::directory, .mode = 0755};  // the root is always there
  if (found)
    std::erase_if(found->xattrs, [](const auto& xattr) { return !is_copied_xattr(xattr.first); });
  return found;
}

FileIdentity RootTree::identity(const std::string& path) {
  const ContentRef file = root_.content(path);
  if (file.text || !file.root) return {};
  const UniqueFd fd = open_in_root(*file.root, file.path, O_PATH | O_NOFOLLOW);
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0) throw_errno(cat("stat ", quoted(path)));
  return {.device = status.st_dev, .inode = status.st_ino, .links = status.st_nlink};
}

Sha256 RootTree::digest(const std::string& path, const std::stop_token& stop) {
  const ContentRef file = root_.content(path);
  if (!file.text) {
    const std::scoped_lock lock(mutex_);
    const auto found = known_.find({file.root.get(), file.path});
    if (found != known_.end()) return found->second;
  }
  const Sha256 sha = hash_content(file, stop);
  remember(file, sha);
  return sha;
}

void RootTree::prepare_digests(const std::vector<std::string>& paths, unsigned jobs,
                               const std::stop_token& stop) {
  std::vector<ContentRef> files;
  for (const std::string& path : paths) {
    ContentRef file = root_.content(path);
    const std::scoped_lock lock(mutex_);
    if (!file.text && known_.find({file.root.get(), file.path}) == known_.end())
      files.push_back(std::move(file));
  }
  parallel_for(
      files.size(), jobs, [&](std::size_t i) { remember(files[i], hash_content(files[i], stop)); },
      stop);
}

void RootTree::remember(const ContentRef& content, const Sha256& sha) {
  if (content.text) return;
  const std::scoped_lock lock(mutex_);
  known_.insert_or_assign({content.root.get(), content.path}, sha);
}

std::string RootTree::why_hidden(const std::string& /*path*/) { return {}; }

}  // namespace lade::build
