#include "libimage/container/memory_tree.h"

#include <algorithm>
#include <compare>
#include <numeric>
#include <utility>

#include "libimage/base/text.h"

namespace lade {
namespace {

/// Bytewise with '/' before everything else, so that a subtree is one range.
std::strong_ordering tree_order(std::string_view left, std::string_view right) {
  const auto rank = [](char c) { return c == '/' ? 0U : 1U + static_cast<unsigned char>(c); };
  const auto [at, other] = std::mismatch(left.begin(), left.end(), right.begin(), right.end());
  if (at == left.end()) {
    return other == right.end() ? std::strong_ordering::equal : std::strong_ordering::less;
  }
  if (other == right.end()) return std::strong_ordering::greater;
  return rank(*at) <=> rank(*other);
}

bool is_below(std::string_view path, std::string_view directory) {
  if (directory.empty()) return !path.empty();
  return path.size() > directory.size() && path.starts_with(directory) &&
         path[directory.size()] == '/';
}

}  // namespace

MemoryTree::MemoryTree(std::shared_ptr<const std::vector<LayerEntry>> entries)
    : entries_(std::move(entries)), order_(entries_->size()) {
  std::iota(order_.begin(), order_.end(), 0U);
  std::stable_sort(order_.begin(), order_.end(), [this](std::uint32_t a, std::uint32_t b) {
    return tree_order(at(a).path, at(b).path) < 0;
  });
  usable_ = std::all_of(entries_->begin(), entries_->end(), [this](const LayerEntry& entry) {
    return entry.kind != LayerEntry::Kind::hardlink || carrier_of(entry) != nullptr;
  });
}

MemoryTree::Index::const_iterator MemoryTree::first_at(std::string_view path) const {
  return std::lower_bound(order_.begin(), order_.end(), path,
                          [this](std::uint32_t position, std::string_view wanted) {
                            return tree_order(at(position).path, wanted) < 0;
                          });
}

MemoryTree::Index::const_iterator MemoryTree::end_of_subtree(std::string_view path) const {
  return std::partition_point(first_at(path), order_.end(), [&](std::uint32_t position) {
    return at(position).path == path || is_below(at(position).path, path);
  });
}

const LayerEntry* MemoryTree::carrier_of(const LayerEntry& entry) const {
  const LayerEntry* current = &entry;
  constexpr int kMaxHops = 16;  // lists of ours name the carrier directly
  for (int hop = 0; hop < kMaxHops && current->kind == LayerEntry::Kind::hardlink; ++hop) {
    const LayerEntry* next = nullptr;
    const std::string& target = current->link_to;
    for (auto it = first_at(target); it != order_.end() && at(*it).path == target; ++it) {
      if (at(*it).kind == LayerEntry::Kind::file || at(*it).kind == LayerEntry::Kind::hardlink) {
        next = &at(*it);
      }
    }
    if (next == nullptr) return nullptr;
    current = next;
  }
  return current->kind == LayerEntry::Kind::file ? current : nullptr;
}

MemoryTree::Found MemoryTree::find(std::string_view path) const {
  Found found;
  bool hidden = false;
  auto it = first_at(path);
  for (; it != order_.end() && at(*it).path == path; ++it) {
    const LayerEntry& entry = at(*it);
    switch (entry.kind) {
      case LayerEntry::Kind::file:
        found.entry = &entry;  // of several the last one wins, as in a tar
        break;
      case LayerEntry::Kind::hardlink:
        found.entry = carrier_of(entry);
        break;
      case LayerEntry::Kind::whiteout:
        hidden = true;
        break;
      case LayerEntry::Kind::opaque:
        found.opaque = true;
        break;
    }
  }
  found.opaque = found.opaque || hidden;
  if (found.entry != nullptr) {
    found.kind = Found::Kind::entry;
    return found;
  }
  // Hiding what is in a directory that nobody has does not make that directory.
  const bool has_content =
      path.empty() || std::any_of(it, end_of_subtree(path), [this](std::uint32_t position) {
        return at(position).kind == LayerEntry::Kind::file ||
               at(position).kind == LayerEntry::Kind::hardlink;
      });
  if (has_content) {
    found.kind = Found::Kind::implicit_directory;
  } else if (hidden) {
    found.kind = Found::Kind::whiteout;
  } else if (found.opaque || (it != order_.end() && is_below(at(*it).path, path))) {
    found.kind = Found::Kind::hiding_directory;
  }
  return found;
}

std::vector<std::string> MemoryTree::children(std::string_view path) const {
  std::vector<std::string> names;
  auto it = first_at(path);
  while (it != order_.end() && at(*it).path == path) ++it;
  const std::size_t prefix = path.empty() ? 0 : path.size() + 1;
  while (it != order_.end() && is_below(at(*it).path, path)) {
    const std::string_view child = at(*it).path;
    const std::size_t end = std::min(child.find('/', prefix), child.size());
    names.emplace_back(child.substr(prefix, end - prefix));
    it = end_of_subtree(child.substr(0, end));
  }
  return names;
}

std::vector<std::string> MemoryTree::implicit_directories() const {
  std::vector<std::string> found;
  std::string_view seen;  // the last parent looked at: most entries share it with the one before
  for (const std::uint32_t position : order_) {
    const std::string_view path = at(position).path;
    const std::size_t slash = path.rfind('/');
    if (slash == std::string_view::npos || path.substr(0, slash) == seen) continue;
    seen = path.substr(0, slash);
    for (std::size_t end = seen.find('/');; end = seen.find('/', end + 1)) {
      const std::string_view directory = seen.substr(0, end);
      const Found::Kind kind = find(directory).kind;
      if (kind == Found::Kind::implicit_directory || kind == Found::Kind::hiding_directory) {
        found.emplace_back(directory);
      }
      if (end == std::string_view::npos) break;
    }
  }
  std::sort(found.begin(), found.end());
  found.erase(std::unique(found.begin(), found.end()), found.end());
  return found;
}

}  // namespace lade
