#include "libimage/layer/change_list.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <utility>

#include <fcntl.h>

#include "libimage/base/text.h"
#include "libimage/io/path.h"
#include "libimage/io/stream.h"

namespace lade {
namespace {

constexpr int kReadFlags = O_RDONLY | O_NONBLOCK | O_NOFOLLOW;

bool is_removal(const LayerEntry& entry) noexcept {
  return entry.kind == LayerEntry::Kind::whiteout;
}

bool same_bytes(UniqueFd a, UniqueFd b, const std::string& path) {
  FdSource first(std::move(a), quoted(path));
  FdSource second(std::move(b), quoted(path));
  std::vector<std::byte> from_first(kChunkBytes);
  std::vector<std::byte> from_second(kChunkBytes);
  for (;;) {
    const std::size_t got = read_full(first, from_first);
    if (read_full(second, from_second) != got) return false;
    if (got == 0) return true;
    if (std::memcmp(from_first.data(), from_second.data(), got) != 0) return false;
  }
}

}  // namespace

bool comes_before(const LayerEntry& a, const LayerEntry& b) noexcept {
  const std::string_view x = a.path;
  const std::string_view y = b.path;
  std::size_t at = 0;  // begin of the first component that differs
  std::size_t same = 0;
  while (same < x.size() && same < y.size() && x[same] == y[same]) {
    if (x[same] == '/') at = same + 1;
    ++same;
  }
  if (same == x.size() && same == y.size()) return a.kind < b.kind;
  if ((same == x.size() && y[same] == '/') || x.empty()) return true;
  if ((same == y.size() && x[same] == '/') || y.empty()) return false;
  const std::string_view name_x = x.substr(at, x.find('/', at) - at);
  const std::string_view name_y = y.substr(at, y.find('/', at) - at);
  const bool removes_x = is_removal(a) && at + name_x.size() == x.size();
  const bool removes_y = is_removal(b) && at + name_y.size() == y.size();
  if (removes_x != removes_y) return removes_x;
  return name_x < name_y;
}

void ChangeList::add(std::string path, const SnapshotEntry& file, State state) {
  const bool linked = file.attributes.type != FileType::directory && file.inode.links > 1;
  if (state == State::unchanged && !linked) return;
  Item item;
  item.entry.path = std::move(path);
  item.entry.attributes = file.attributes;
  item.inode = file.inode;
  item.state = state;
  items_.push_back(std::move(item));
}

void ChangeList::add_whiteout(std::string path) {
  items_.push_back({{.kind = LayerEntry::Kind::whiteout, .path = std::move(path)}});
}

void ChangeList::add_opaque(std::string path) {
  items_.push_back({{.kind = LayerEntry::Kind::opaque, .path = std::move(path)}});
}

std::vector<LayerEntry> ChangeList::finish() {
  std::sort(items_.begin(), items_.end(),
            [](const Item& a, const Item& b) { return comes_before(a.entry, b.entry); });
  using Identity = std::pair<std::uint64_t, std::uint64_t>;
  struct Group {
    std::string first = {};
    bool changed = false;
  };
  std::map<Identity, Group> groups;
  const auto group_of = [&](const Item& item) -> Group* {
    if (item.entry.kind != LayerEntry::Kind::file || item.inode.links < 2 ||
        item.entry.attributes.type == FileType::directory) {
      return nullptr;
    }
    return &groups[{item.inode.device, item.inode.number}];
  };
  for (const Item& item : items_) {
    if (Group* const group = group_of(item)) group->changed |= item.state == State::changed;
  }
  std::vector<LayerEntry> entries;
  entries.reserve(items_.size());
  for (Item& item : items_) {
    Group* const group = group_of(item);
    if (group == nullptr ? item.state == State::unchanged : !group->changed) continue;
    LayerEntry& entry = item.entry;
    if (group != nullptr && !group->first.empty()) {
      entry.kind = LayerEntry::Kind::hardlink;
      entry.link_to = group->first;
    } else {
      if (group != nullptr) group->first = entry.path;
      if (entry.kind == LayerEntry::Kind::file && entry.attributes.type == FileType::regular) {
        entry.content = {content_root_, entry.path};
      }
    }
    entries.push_back(std::move(entry));
  }
  items_.clear();
  return entries;
}

bool same_root(const Attributes& a, const Attributes& b) {
  Attributes timeless = a;
  timeless.mtime = b.mtime;
  return timeless == b;
}

bool same_content(const DirFd& a, const DirFd& b, const std::string& path) {
  return same_bytes(open_in_root(a, path, kReadFlags), open_in_root(b, path, kReadFlags), path);
}

bool same_content_at(const DirFd& a, const DirFd& b, const std::string& name) {
  return same_bytes(open_entry(a, name, kReadFlags), open_entry(b, name, kReadFlags), name);
}

}  // namespace lade
