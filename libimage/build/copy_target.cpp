#include "libimage/build/copy_target.h"

#include <algorithm>
#include <set>
#include <utility>

#include "libimage/base/error.h"
#include "libimage/base/text.h"

namespace lade::build {
namespace {

std::string joined(const std::string& directory, const std::string& name) {
  return directory.empty() ? name : cat(directory, "/", name);
}

std::string parent_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? std::string() : path.substr(0, slash);
}

bool is_directory(const std::optional<Attributes>& found) {
  return found && found->type == FileType::directory;
}

[[noreturn]] void refuse(std::string_view what, const std::string& path) {
  throw Error(Errc::invalid_argument, cat(what, " ", quoted(cat("/", path))));
}

}  // namespace

std::optional<Attributes> CopyTarget::lookup(const std::string& path) {
  if (path.empty()) return Attributes{.type = FileType::directory, .mode = 0755};
  const auto pending = by_path_.find(path);
  if (pending != by_path_.end()) return entries_[pending->second].attributes;
  return root_.lookup(path);
}

void CopyTarget::put(LayerEntry entry) {
  const auto known = by_path_.find(entry.path);
  if (known != by_path_.end()) {
    linked_.erase(entry.path);
    entries_[known->second] = std::move(entry);
    return;
  }
  if (index_all_ || entry.attributes.type == FileType::directory)
    by_path_.emplace(entry.path, entries_.size());
  entries_.push_back(std::move(entry));
}

Attributes CopyTarget::ruled(Attributes attributes) const {
  if (rules_.owner) {
    attributes.uid = rules_.owner->uid;
    attributes.gid = rules_.owner->gid;
  }
  if (rules_.mode && attributes.type != FileType::symlink)
    attributes.mode = rules_.mode->apply(attributes.mode, attributes.type);
  return attributes;
}

Attributes CopyTarget::made_directory() const {
  Attributes made{.type = FileType::directory, .mode = 0755, .mtime = parent_mtime_};
  if (!rules_.mode || rules_.mode->is_octal()) return ruled(std::move(made));
  const std::uint32_t mode = made.mode;
  made = ruled(std::move(made));
  made.mode = mode;
  return made;
}

void CopyTarget::make_directories(const std::string& path) {
  if (path.empty()) return;
  for (std::size_t end = path.find('/');; end = path.find('/', end + 1)) {
    const std::string part = path.substr(0, end);
    if (by_path_.find(part) == by_path_.end()) {
      LayerEntry entry{.path = part};
      if (const auto existing = root_.lookup(part)) {
        if (existing->type != FileType::directory) refuse("not a directory:", part);
        entry.attributes = *existing;
      } else {
        entry.attributes = made_directory();
      }
      put(std::move(entry));
    } else if (!is_directory(lookup(part))) {
      refuse("not a directory:", part);
    }
    if (end == std::string::npos) return;
  }
}

void CopyTarget::index_everything() {
  if (index_all_) return;
  index_all_ = true;
  for (std::size_t i = 0; i < entries_.size(); ++i) by_path_.emplace(entries_[i].path, i);
}

std::string CopyTarget::prepare(const CopyDestination& destination) {
  if (++sources_ == 2) index_everything();
  if (destination.is_directory) {
    const std::string directory = root_.resolve(destination.path);
    make_directories(directory);
    return directory;
  }
  make_directories(root_.resolve(parent_of(destination.path)));
  return root_.resolve(destination.path);
}

std::string CopyTarget::file_target(const std::string& target, const std::string& name) {
  if (!is_directory(lookup(target))) return target;
  std::string below = joined(target, name);
  if (is_directory(lookup(below))) refuse("a file cannot replace the directory", below);
  make_directories(target);
  return below;
}

void CopyTarget::copy(SourceTree& tree, const CopySource& source,
                      const CopyDestination& destination) {
  std::string target = prepare(destination);
  const std::optional<Attributes> existing = lookup(target);
  if (source.attributes.type != FileType::directory) {
    target = file_target(target, source.name);
    copy_file(tree, source.path, target, source.attributes);
    return;
  }
  if (existing && existing->type != FileType::directory)
    refuse("a directory cannot be copied onto the file", target);
  make_directories(target);
  if (const auto made = by_path_.find(target); made != by_path_.end())
    entries_[made->second].attributes.mtime = source.attributes.mtime;
  copy_below(tree, source.path, target, existing.has_value());
}

void CopyTarget::copy_below(SourceTree& tree, const std::string& from, const std::string& to,
                            bool exists) {
  std::set<std::string> there;
  if (exists && is_directory(root_.lookup(to))) {  // not only in this layer
    const std::vector<std::string> names = root_.list(to);
    there.insert(names.begin(), names.end());
  }
  for (const std::string& name : tree.list(from)) {
    const std::string source = joined(from, name);
    const std::string target = joined(to, name);
    std::optional<Attributes> attributes = tree.lookup(source);
    if (!attributes) continue;  // removed meanwhile
    std::optional<Attributes> existing;
    if (index_all_ || there.count(name) > 0) existing = lookup(target);
    if (attributes->type != FileType::directory) {
      if (is_directory(existing)) refuse("a file cannot replace the directory", target);
      copy_file(tree, source, target, std::move(*attributes));
      continue;
    }
    if (existing && existing->type != FileType::directory)
      refuse("a directory cannot be copied onto the file", target);
    put({.path = target, .attributes = ruled(std::move(*attributes))});
    copy_below(tree, source, target, existing.has_value());
  }
}

void CopyTarget::copy_file(SourceTree& tree, const std::string& from, const std::string& to,
                           Attributes attributes) {
  LayerEntry entry{.path = to, .attributes = ruled(std::move(attributes))};
  if (entry.attributes.type == FileType::regular) {
    entry.content = tree.content(from);
    const FileIdentity identity = tree.identity(from);
    put(std::move(entry));
    if (identity.links > 1) linked_[to] = {identity.device, identity.inode};
    return;
  }
  put(std::move(entry));
}

void CopyTarget::write(const std::string& name, std::string text, const Timestamp& mtime,
                       const CopyDestination& destination) {
  const std::string target = file_target(prepare(destination), name);
  LayerEntry entry{.path = target};
  entry.attributes = ruled({.mode = 0644, .size = text.size(), .mtime = mtime});
  entry.content.text = std::make_shared<const std::string>(std::move(text));
  put(std::move(entry));
}

void CopyTarget::merge(const Snapshot& snapshot,
                       const std::function<ContentRef(const std::string&)>& content,
                       const CopyDestination& destination) {
  const std::string top = prepare({.path = destination.path, .is_directory = true});
  index_everything();                           // two directories of the archive may be one here
  std::map<std::string, std::string> followed;  // directories of the archive that are links here
  for (const auto& [path, found] : snapshot) {
    if (path.empty()) continue;
    const auto moved = followed.find(parent_of(path));
    const std::string target = moved == followed.end()
                                   ? joined(top, path)
                                   : joined(moved->second, path.substr(path.rfind('/') + 1));
    LayerEntry entry{.path = target, .attributes = found.attributes};
    if (found.attributes.type == FileType::directory) {
      const auto existing = lookup(target);
      if (existing && existing->type == FileType::symlink) {
        const std::string behind = root_.resolve(target);
        if (is_directory(lookup(behind))) {
          make_directories(behind);
          followed[path] = behind;
          continue;
        }
      }
      if (moved != followed.end()) followed[path] = target;
    } else if (found.attributes.type == FileType::regular) {
      entry.content = content(path);
    }
    put(std::move(entry));
    if (found.attributes.type == FileType::regular && found.inode.links > 1)
      linked_[target] = {found.inode.device, found.inode.number};
  }
}

std::vector<LayerEntry> CopyTarget::take() {
  by_path_.clear();
  std::sort(entries_.begin(), entries_.end(),
            [](const LayerEntry& a, const LayerEntry& b) { return a.path < b.path; });
  std::map<FileKey, const std::string*> first;
  for (const auto& [path, file] : linked_) {  // in order, as the entries are
    const auto [holder, is_new] = first.try_emplace(file, &path);
    if (is_new) continue;
    const auto entry =
        std::lower_bound(entries_.begin(), entries_.end(), path,
                         [](const LayerEntry& a, const std::string& b) { return a.path < b; });
    entry->kind = LayerEntry::Kind::hardlink;
    entry->link_to = *holder->second;
    entry->content = {};
  }
  linked_.clear();
  return std::exchange(entries_, {});
}

}  // namespace lade::build
