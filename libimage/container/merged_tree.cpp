#include "libimage/container/merged_tree.h"

#include <algorithm>
#include <deque>
#include <utility>

#include "libimage/base/error.h"
#include "libimage/base/text.h"

namespace lade {
namespace {

constexpr std::size_t kMaxLinks = 255;
/// Resolved paths; the links of an image could otherwise grow one without end.
constexpr std::size_t kMaxPathBytes = std::size_t{64} * 1024;
constexpr std::size_t kMaxCachedDirectories = 10'000;

Attributes implied_directory() {
  Attributes attributes;
  attributes.type = FileType::directory;
  attributes.mode = 0755;
  return attributes;
}

}  // namespace

/// A directory of the merged tree and the parts that make it up, found one after another.
struct MergedTree::Directory {
  std::string path;
  Directory* parent = nullptr;          // null: the root
  Hit itself = {};                      // not the root's
  std::vector<std::size_t> parts = {};  // ascending: topmost first
  std::size_t next = 0;                 // parts before this one were looked at
  bool closed = false;                  // nothing below shows
  bool explicit_somewhere = false;      // a part says itself that this is a directory
};

MergedTree::MergedTree(std::vector<std::unique_ptr<Part>> parts) : parts_(std::move(parts)) {}
MergedTree::~MergedTree() = default;

MergedTree::Directory& MergedTree::root() {
  auto& root = directories_[""];
  if (!root) root = std::make_unique<Directory>(Directory{.path = ""});
  return *root;
}

MergedTree::Hit MergedTree::find_root() {
  for (std::size_t part = 0; part < parts_.size(); ++part) {
    PartEntry entry = parts_[part]->find("");
    if (entry.kind == PartEntry::Kind::present) return {std::move(entry), part};
  }
  return {{.kind = PartEntry::Kind::present, .attributes = implied_directory()}, 0};
}

bool MergedTree::extend(Directory& directory) {
  while (!directory.closed && directory.next < parts_.size()) {
    const std::size_t part = directory.next;
    if (directory.parent != nullptr && !contributes(*directory.parent, part)) {
      ++directory.next;
      continue;
    }
    const PartEntry entry = parts_[part]->find(directory.path);
    if (entry.kind == PartEntry::Kind::present && !entry.is_directory() &&
        !directory.explicit_somewhere && !directory.parts.empty()) {
      throw PartNeedsUnpacking{directory.parts.front()};
    }
    ++directory.next;
    if (entry.kind == PartEntry::Kind::absent) continue;
    if (!entry.is_directory()) {
      directory.closed = true;
      return false;
    }
    directory.explicit_somewhere |= entry.kind == PartEntry::Kind::present;
    directory.closed = entry.opaque;
    directory.parts.push_back(part);
    return true;
  }
  return false;
}

bool MergedTree::contributes(Directory& directory, std::size_t part) {
  while (directory.next <= part && extend(directory)) {
  }
  return std::binary_search(directory.parts.begin(), directory.parts.end(), part);
}

std::optional<MergedTree::Hit> MergedTree::find_in(Directory& directory, const std::string& name) {
  const std::string path = join_path(directory.path, name);
  std::optional<std::size_t> implicit;
  for (std::size_t i = 0; i < directory.parts.size() || extend(directory); ++i) {
    const std::size_t part = directory.parts[i];
    PartEntry entry = parts_[part]->find(path);
    if (entry.kind == PartEntry::Kind::absent) continue;
    if (entry.kind == PartEntry::Kind::whiteout) break;
    if (entry.kind == PartEntry::Kind::hiding_directory) continue;
    if (entry.kind == PartEntry::Kind::implicit_directory) {
      if (!implicit) implicit = part;
      if (entry.opaque) break;
      continue;
    }
    if (implicit && !entry.is_directory()) throw PartNeedsUnpacking{*implicit};
    return Hit{std::move(entry), part};
  }
  if (!implicit) return std::nullopt;
  return Hit{{.kind = PartEntry::Kind::present, .attributes = implied_directory()}, *implicit};
}

MergedTree::Directory* MergedTree::directory(const std::string& path) {
  if (const auto known = directories_.find(path); known != directories_.end()) {
    return known->second.get();
  }
  Directory* current = &root();
  if (path.empty()) return current;
  for (std::size_t start = 0, end = 0; end != std::string::npos; start = end + 1) {
    end = path.find('/', start);
    std::string prefix = path.substr(0, end);
    const auto known = directories_.find(prefix);
    if (known != directories_.end()) {
      current = known->second.get();
      continue;
    }
    auto hit = find_in(*current, prefix.substr(start));
    if (!hit || !hit->entry.is_directory()) return nullptr;
    auto made = std::make_unique<Directory>(
        Directory{.path = prefix, .parent = current, .itself = std::move(*hit)});
    current = directories_.emplace(std::move(prefix), std::move(made)).first->second.get();
  }
  return current;
}

std::optional<MergedTree::Hit> MergedTree::find(const std::string& path) {
  if (directories_.size() > kMaxCachedDirectories) directories_.clear();
  if (path.empty()) return find_root();
  if (const auto known = directories_.find(path); known != directories_.end()) {
    return known->second->itself;
  }
  const std::size_t slash = path.rfind('/');
  Directory* parent = directory(slash == std::string::npos ? "" : path.substr(0, slash));
  if (parent == nullptr) return std::nullopt;
  return find_in(*parent, slash == std::string::npos ? path : path.substr(slash + 1));
}

std::string MergedTree::resolve(const std::string& path, bool follow_last) {
  std::deque<std::string> left;
  const auto put_front = [&left](std::string_view text) {
    const auto pieces = split(text, '/');
    for (auto piece = pieces.rbegin(); piece != pieces.rend(); ++piece) {
      if (!piece->empty() && *piece != ".") left.emplace_front(*piece);
    }
  };
  put_front(path);
  std::string done;
  std::size_t links = 0;
  bool exists = true;  // below what is absent, or no directory, nothing needs looking up
  std::size_t absent_from = 0;
  while (!left.empty()) {
    const std::string name = std::move(left.front());
    left.pop_front();
    if (name == "..") {
      done.resize(done.rfind('/') == std::string::npos ? 0 : done.rfind('/'));
      exists = exists || done.size() <= absent_from;
      continue;
    }
    const std::string next = join_path(done, name);
    if (next.size() > kMaxPathBytes) {
      throw Error(Errc::limit_exceeded, cat("resolve ", quoted(path.substr(0, 200)),
                                            ": longer than ", kMaxPathBytes, " bytes"));
    }
    const auto hit = exists ? find(next) : std::nullopt;
    const bool link = hit && hit->entry.attributes.type == FileType::symlink;
    if (link && (follow_last || !left.empty())) {
      if (++links > kMaxLinks) {
        throw Error(Errc::invalid_content,
                    cat("resolve ", quoted(path), ": more than ", kMaxLinks, " links"));
      }
      const std::string& target = hit->entry.attributes.link_target;
      put_front(target);
      if (target.starts_with('/')) done.clear();
      continue;
    }
    if (exists && !(hit && hit->entry.is_directory())) {
      exists = false;
      absent_from = done.size();
    }
    done = next;
  }
  return done;
}

std::optional<std::vector<std::string>> MergedTree::list(const std::string& path) {
  if (directories_.size() > kMaxCachedDirectories) directories_.clear();
  Directory* found = directory(path);
  if (found == nullptr) return std::nullopt;
  while (extend(*found)) {
  }
  std::set<std::string> seen;
  std::vector<std::string> shown;
  for (const std::size_t part : found->parts) {
    for (PartName& name : parts_[part]->names(path)) {
      if (name.kind == PartName::Kind::undecided || !seen.insert(name.name).second) continue;
      if (name.kind == PartName::Kind::shown) shown.push_back(std::move(name.name));
    }
  }
  std::sort(shown.begin(), shown.end());
  return shown;
}

ContentRef MergedTree::content(const std::string& path, const Hit& hit) {
  auto content = parts_[hit.part]->content(path, hit.entry);
  if (!content) throw PartNeedsUnpacking{hit.part};
  return std::move(*content);
}

}  // namespace lade
