#include "libimage/container/part.h"

#include <cerrno>

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/io/path.h"
#include "libimage/layer/file_attributes.h"

namespace lade {
namespace {

/// Longer paths are walked to their parent first: the kernel takes PATH_MAX, /proc's prefix
/// included.
constexpr std::size_t kMaxDirectPath = 4000;

PartEntry entry_of(FoundFile file) {
  PartEntry entry;
  if (file.whiteout) {
    entry.kind = PartEntry::Kind::whiteout;
    return entry;
  }
  entry.kind = PartEntry::Kind::present;
  entry.attributes = std::move(file.entry.attributes);
  entry.opaque = file.overlay.opaque;
  return entry;
}

}  // namespace

std::string join_path(const std::string& directory, std::string_view name) {
  return directory.empty() ? std::string(name) : cat(directory, "/", name);
}

const DirFd& DiskPart::root() {
  if (!root_) root_ = open_();
  return *root_;
}

PartEntry DiskPart::find(const std::string& path) {
  if (path.empty()) return entry_of(look_at_directory(root(), true));
  std::optional<FoundFile> file;
  if (path.size() <= kMaxDirectPath) {
    file = find_file(root(), path, true);
  } else {
    const ParentAndName place = open_parent_in_root(root(), path);
    file = find_file(place.parent, place.name, true);
  }
  return file ? entry_of(std::move(*file)) : PartEntry{};
}

std::vector<PartName> DiskPart::names(const std::string& directory) {
  const DirFd dir(open_in_root(root(), directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
  std::vector<PartName> names;
  for (std::string& name : sorted_names(dir)) {
    struct stat st {};
    if (::fstatat(dir.get(), name.c_str(), &st, AT_SYMLINK_NOFOLLOW) != 0) {
      throw_errno(cat("stat ", quoted(name)));
    }
    // A socket, left by a step: no layer can hold it, but what it replaced is gone.
    const bool hides = is_whiteout_device(st) || S_ISSOCK(st.st_mode);
    names.push_back({std::move(name), hides ? PartName::Kind::whiteout : PartName::Kind::shown});
  }
  return names;
}

std::optional<ContentRef> DiskPart::content(const std::string& path, const PartEntry& /*entry*/) {
  (void)root();
  return ContentRef{.root = root_, .path = path};
}

PartEntry MemoryPart::find(const std::string& path) {
  const MemoryTree::Found found = tree_->find(path);
  PartEntry entry;
  entry.opaque = found.opaque;
  switch (found.kind) {
    case MemoryTree::Found::Kind::absent:
      break;
    case MemoryTree::Found::Kind::whiteout:
      entry.kind = PartEntry::Kind::whiteout;
      break;
    case MemoryTree::Found::Kind::implicit_directory:
      entry.kind = PartEntry::Kind::implicit_directory;
      break;
    case MemoryTree::Found::Kind::hiding_directory:
      entry.kind = PartEntry::Kind::hiding_directory;
      break;
    case MemoryTree::Found::Kind::entry:
      entry.kind = PartEntry::Kind::present;
      entry.attributes = found.entry->attributes;
      entry.in_memory = found.entry;
      break;
  }
  return entry;
}

std::vector<PartName> MemoryPart::names(const std::string& directory) {
  std::vector<PartName> names;
  for (std::string& name : tree_->children(directory)) {
    PartName::Kind kind = PartName::Kind::shown;
    const MemoryTree::Found found = tree_->find(join_path(directory, name));
    if (found.kind == MemoryTree::Found::Kind::whiteout) kind = PartName::Kind::whiteout;
    if (found.kind == MemoryTree::Found::Kind::hiding_directory) kind = PartName::Kind::undecided;
    names.push_back({std::move(name), kind});
  }
  return names;
}

std::optional<ContentRef> MemoryPart::content(const std::string& /*path*/, const PartEntry& entry) {
  const ContentRef& content = entry.in_memory->content;
  if (content.text) return content;
  if (!content.root) {
    if (entry.attributes.size > 0) return std::nullopt;
    return ContentRef{.text = std::make_shared<const std::string>()};
  }
  if (content.offset) return std::nullopt;  // users want whole files
  // The layer has the bytes as they were; the file that they came from may be gone or another.
  const UniqueFd file = try_open_in_root(*content.root, content.path, O_PATH | O_NOFOLLOW);
  struct stat st {};
  const bool same = file && ::fstat(file.get(), &st) == 0 && S_ISREG(st.st_mode) &&
                    static_cast<std::uint64_t>(st.st_size) == entry.attributes.size;
  if (!same) return std::nullopt;
  return content;
}

}  // namespace lade
