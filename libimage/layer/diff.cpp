#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "libimage/layer/change_list.h"
#include "libimage/layer/snapshot.h"

namespace lade {
namespace {

using Identity = std::pair<std::uint64_t, std::uint64_t>;

Identity identity_of(const SnapshotEntry& file) noexcept {
  return {file.inode.device, file.inode.number};
}

bool may_have_names(const SnapshotEntry& file) noexcept {
  return file.attributes.type != FileType::directory && file.inode.links > 1;
}

/// Inodes of `upper` whose names were one file in `lower` together with names that are now another
/// one, or were several there: links made or broken, which attributes do not show.
std::set<Identity> relinked(const Snapshot& lower, const Snapshot& upper) {
  std::map<Identity, std::set<Identity>> above;  // lower inode to the upper ones of its names
  std::map<Identity, std::set<Identity>> below;
  for (const auto& [path, now] : upper) {
    const auto before = lower.find(path);
    if (before == lower.end()) continue;
    if (!may_have_names(now) && !may_have_names(before->second)) continue;
    above[identity_of(before->second)].insert(identity_of(now));
    below[identity_of(now)].insert(identity_of(before->second));
  }
  std::set<Identity> result;
  for (const auto& [old, now] : above) {
    if (now.size() > 1) result.insert(now.begin(), now.end());
  }
  for (const auto& [now, old] : below) {
    if (old.size() > 1) result.insert(now);
  }
  return result;
}

/// Times of change come in ticks of the kernel's clock: what was written within one of them before
/// the snapshot may be written again within it, and look the same.
constexpr std::int64_t kTickNanoseconds = 20'000'000;

/// The time before which changes count as long ago in `snapshot`.
Timestamp settled_before(const Snapshot& snapshot) {
  Timestamp newest;
  for (const auto& [path, file] : snapshot) newest = std::max(newest, file.inode.changed);
  std::int64_t nanoseconds = std::int64_t{newest.nanoseconds} - kTickNanoseconds;
  if (nanoseconds < 0) {
    nanoseconds += 1'000'000'000;
    --newest.seconds;
  }
  return {newest.seconds, static_cast<std::uint32_t>(nanoseconds)};
}

/// True if nobody can have written the content between the two snapshots.
bool untouched(const SnapshotEntry& before, const SnapshotEntry& now,
               const Timestamp& settled) noexcept {
  return before.inode.device == now.inode.device && before.inode.number == now.inode.number &&
         before.inode.changed == now.inode.changed && before.inode.changed < settled;
}

}  // namespace

std::vector<LayerEntry> diff(const Snapshot& lower, const Snapshot& upper, const DirFd& lower_root,
                             std::shared_ptr<const DirFd> upper_root) {
  const std::set<Identity> links_changed = relinked(lower, upper);
  const Timestamp settled = settled_before(lower);
  const auto is_same = [&](const std::string& path, const SnapshotEntry& before,
                           const SnapshotEntry& now) {
    if (path.empty()) return same_root(before.attributes, now.attributes);
    if (before.attributes != now.attributes || links_changed.contains(identity_of(now))) {
      return false;
    }
    return now.attributes.type != FileType::regular || untouched(before, now, settled) ||
           same_content(lower_root, *upper_root, path);
  };
  ChangeList changes(upper_root);
  for (const auto& [path, now] : upper) {
    const auto before = lower.find(path);
    const bool same = before != lower.end() && is_same(path, before->second, now);
    changes.add(path, now, same ? ChangeList::State::unchanged : ChangeList::State::changed);
  }
  for (const auto& [path, before] : lower) {
    if (path.empty() || upper.contains(path)) continue;
    // Gone with its parent, or with what the parent became.
    const std::size_t slash = path.rfind('/');
    const auto parent = upper.find(slash == std::string::npos ? "" : path.substr(0, slash));
    if (parent == upper.end() || parent->second.attributes.type != FileType::directory) continue;
    changes.add_whiteout(path);
  }
  return changes.finish();
}

}  // namespace lade
