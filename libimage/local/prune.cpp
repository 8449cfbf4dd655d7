#include <algorithm>
#include <cerrno>
#include <ctime>
#include <set>
#include <string_view>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/io/path.h"
#include "libimage/local/cache.h"
#include "libimage/local/local_store.h"
#include "libimage/local/reached.h"
#include "libimage/local/store_state.h"
#include "libimage/oci/image_config.h"
#include "libimage/oci/layout.h"

namespace lade {
namespace {

/// The store for one process alone, while it lives.
class Exclusive {
 public:
  Exclusive(int fd, const std::string& path) : fd_(fd) {
    if (::flock(fd_, LOCK_EX | LOCK_NB) == 0) return;
    const int reason = errno;
    retake_shared();  // a failed conversion drops the lock that was there (flock(2))
    if (reason != EWOULDBLOCK) throw_errno("lock store", reason);
    throw Error(Errc::unavailable, cat("prune ", quoted(path),
                                       ": the store is in use by another process; try again when "
                                       "it has ended"));
  }
  ~Exclusive() { retake_shared(); }
  Exclusive(const Exclusive&) = delete;
  Exclusive& operator=(const Exclusive&) = delete;

 private:
  void retake_shared() const noexcept {
    while (::flock(fd_, LOCK_SH) != 0 && errno == EINTR) {
    }
  }
  int fd_;
};

void reach_config(LayoutStore& images, const oci::Descriptor& config, Reached& reached) {
  try {
    const auto source = images.open(config);
    const std::string text = read_all(*source, oci::kMaxConfigBytes, "config");
    std::optional<ChainId> chain;
    for (const DiffId& diff_id : oci::parse_image_config(text).diff_ids) {
      chain = chain_id(chain, diff_id);
      reached.chains.insert(*chain);
    }
  } catch (const Error&) {  // absent or no config of ours: it then has no snapshots here
  }
}

void reach_from(LayoutStore& images, const oci::Descriptor& root, Reached& reached) {
  std::vector<oci::Descriptor> left = {root};
  while (!left.empty()) {
    const oci::Descriptor node = std::move(left.back());
    left.pop_back();
    if (!reached.blobs.insert(node.digest).second) continue;
    if (oci::is_image_config(node.media_type)) reach_config(images, node, reached);
    if (!oci::is_manifest(node.media_type) && !oci::is_index(node.media_type)) continue;
    try {
      for (auto& next : oci::successors(images.document(node))) left.push_back(std::move(next));
    } catch (const Error& e) {
      // An index may list manifests that were never copied here; what is damaged reaches nothing.
      const bool skip = e.code() == Errc::not_found || e.code() == Errc::invalid_content ||
                        e.code() == Errc::digest_mismatch || e.code() == Errc::size_mismatch ||
                        e.code() == Errc::limit_exceeded;
      if (!skip) throw e.in(cat("read ", node.digest.str()));
    }
  }
}

std::uint64_t size_at(const DirFd& dir, const std::string& name) {
  struct stat st {};
  if (::fstatat(dir.get(), name.c_str(), &st, AT_SYMLINK_NOFOLLOW) != 0) return 0;
  return static_cast<std::uint64_t>(st.st_blocks) * 512;
}

void prune_steps(const DirFd& steps, LayoutStore& images, bool all, Reached& reached,
                 PruneReport& report) {
  for (const std::string& name : names_of(steps)) {
    if (!all && is_step_key(name)) {
      const auto result = read_step(steps, name);
      if (result && !result->layer) continue;
      if (result && images.contains(*result->layer)) {
        reached.blobs.insert(result->layer->digest);
        reached.step_layers.insert(*result->diff_id);
        continue;
      }
    }
    report.bytes += size_at(steps, name);
    if (is_step_key(name)) ++report.steps;  // the rest are leftovers of killed writers
    remove_tree(steps, name);
  }
}

/// DEVICE-INODE (docs/design/0007-build-cache.md).
bool is_digests_name(std::string_view name) {
  const std::size_t dash = name.find('-');
  if (dash == 0 || dash == std::string_view::npos || dash + 1 == name.size()) return false;
  return name.find_first_not_of("0123456789-") == std::string_view::npos &&
         name.find('-', dash + 1) == std::string_view::npos;
}

/// Which directory a file was for does not show in its name, only when it was read or written last.
/// Where reading is not recorded (noatime), a file in use may go: one build reads its context
/// again.
void prune_context_digests(const DirFd& store, bool all, PruneReport& report) {
  constexpr std::time_t kKeptSeconds = std::time_t{30} * 24 * 60 * 60;
  const DirFd dir(try_open_in_root(store, "context-digests", O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
  if (!dir) return;
  const std::time_t oldest = std::time(nullptr) - kKeptSeconds;
  for (const std::string& name : names_of(dir)) {
    const auto st = stat_entry(dir, name);
    if (!st) continue;
    const bool in_use = S_ISREG(st->st_mode) && is_digests_name(name) &&
                        std::max(st->st_atim.tv_sec, st->st_mtim.tv_sec) >= oldest;
    if (in_use && !all) continue;
    report.bytes += size_at(dir, name);
    remove_tree(dir, name);
  }
}

void prune_cache_mounts(const DirFd& store, PruneReport& report) {
  const DirFd dir(try_open_in_root(store, "mounts", O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
  if (!dir) return;
  for (const std::string& name : names_of(dir)) {
    const DirFd tree(try_open_in_root(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
    report.bytes += tree ? tree_bytes(tree) : size_at(dir, name);
    if (tree) ++report.cache_mounts;
    remove_tree(dir, name);
  }
}

void prune_kept(const DirFd& store, const std::string& directory, PruneReport& report) {
  const DirFd dir(try_open_in_root(store, directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
  if (!dir) return;
  for (const std::string& name : names_of(dir)) {
    report.bytes += size_at(dir, name);
    remove_tree(dir, name);
  }
}

const char* directory_of(CacheEntry::Type type) {
  switch (type) {
    case CacheEntry::Type::step:
      return "steps";
    case CacheEntry::Type::layer:
      return "snapshots";
    case CacheEntry::Type::mount:
      return "mounts";
    case CacheEntry::Type::context:
      return "context-digests";
    case CacheEntry::Type::log:
      return kLogsDir;
    case CacheEntry::Type::record:
      return kRecordsDir;
  }
  return "";
}

/// Removes the other keys of steps that are gone.
void remove_aliases(const DirFd& store) {
  const DirFd steps(try_open_in_root(store, "steps", O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
  if (!steps) return;
  for (const std::string& name : names_of(steps)) {
    if (!is_step_key(name)) continue;
    const auto result = read_step(steps, name);
    if (result && is_step_key(result->note) && !stat_entry(steps, result->note))
      remove_tree(steps, name);
  }
}

/// Removes entries of the cache; unpacked layers only go with the sweep: their names.
std::set<std::string> remove_entries(const DirFd& store, const std::vector<CacheEntry>& doomed,
                                     PruneReport& report) {
  std::set<std::string> layers;
  for (const CacheEntry& entry : doomed) {
    if (entry.type == CacheEntry::Type::layer) {
      layers.insert(entry.file);
      continue;
    }
    const DirFd dir(
        try_open_in_root(store, directory_of(entry.type), O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
    if (!dir || !stat_entry(dir, entry.file)) continue;
    if (entry.type == CacheEntry::Type::mount) {
      report.bytes += entry.bytes;
      ++report.cache_mounts;
      remove_tree(dir, cat(entry.file, ".lock"));
    } else {
      report.bytes += size_at(dir, entry.file);
      if (entry.type == CacheEntry::Type::step) ++report.steps;
    }
    remove_tree(dir, entry.file);
  }
  remove_aliases(store);
  return layers;
}

void prune_blobs(LayoutStore& images, const Reached& reached, PruneReport& report) {
  for (const Digest& digest : images.blobs()) {
    if (reached.blobs.contains(digest)) continue;
    report.bytes += size_at(images.dir(), cat("blobs/", digest.algorithm(), "/", digest.encoded()));
    images.remove_blob(digest);
    ++report.blobs;
  }
}

/// Entries whose name moved on to a newer image, and images that never had one.
void forget_unnamed(LayoutStore& images) {
  const std::string key(oci::kRefNameAnnotation);
  images.edit_index([&](oci::Index& index) {
    std::erase_if(index.manifests,
                  [&](const oci::Descriptor& entry) { return entry.annotation(key).empty(); });
  });
}

}  // namespace

std::uint64_t tree_bytes(const DirFd& root) {
  std::uint64_t bytes = 0;
  std::vector<std::string> left = {""};
  while (!left.empty()) {
    const std::string path = std::move(left.back());
    left.pop_back();
    const DirFd dir(try_open_in_root(root, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
    if (!dir) continue;
    for (const std::string& name : names_of(dir)) {
      const auto st = stat_entry(dir, name);
      if (!st) continue;
      bytes += static_cast<std::uint64_t>(st->st_blocks) * 512;
      if (S_ISDIR(st->st_mode)) left.push_back(path.empty() ? name : cat(path, "/", name));
    }
  }
  return bytes;
}

void reach_names(LayoutStore& images, Reached& reached) {
  for (const oci::Descriptor& entry : images.entries()) reach_from(images, entry, reached);
}

PruneReport LocalStore::prune(bool all_steps) {
  const Exclusive alone(state_->in_use.fd(), state_->path);
  PruneReport report;
  Reached reached;
  forget_unnamed(state_->images);
  reach_names(state_->images, reached);
  prune_steps(state_->steps, state_->images, all_steps, reached, report);
  prune_context_digests(state_->dir, all_steps, report);
  if (all_steps) {
    prune_cache_mounts(state_->dir, report);
    for (const char* directory : {kLogsDir, kRecordsDir})
      prune_kept(state_->dir, directory, report);
  }
  state_->images.forget_partial_blobs();
  sweep(reached, report);
  return report;
}

PruneReport LocalStore::prune_cache(const std::vector<CacheEntry>& doomed) {
  const Exclusive alone(state_->in_use.fd(), state_->path);
  PruneReport report;
  Reached reached;
  reach_names(state_->images, reached);
  const std::set<std::string> layers = remove_entries(state_->dir, doomed, report);
  prune_steps(state_->steps, state_->images, false, reached, report);
  sweep(reached, report, layers);
  return report;
}

void LocalStore::sweep(const Reached& reached, PruneReport& report,
                       const std::set<std::string>& doomed) {
  prune_blobs(state_->images, reached, report);

  // Snapshots: an image's stack, a step's layer, and whatever is below one that stays.
  std::set<std::string> kept;
  const std::vector<std::string> names = names_of(state_->snapshots);
  for (const std::string& name : names) {
    const auto record = state_->record_of(name);
    if (!record) continue;
    const ChainId chain = chain_id(record->parent, record->diff_id);
    if (!reached.chains.contains(chain) && !reached.step_layers.contains(record->diff_id)) continue;
    kept.insert(name);
    for (auto below = record->parent; below;) {
      const std::string parent = snapshot_name(*below, SnapshotForm::layer);
      if (!kept.insert(parent).second) break;
      const auto parent_record = state_->record_of(parent);
      below = parent_record ? parent_record->parent : std::nullopt;
    }
  }
  const auto session = state_->session();
  for (const std::string& name : names) {
    if (kept.contains(name) && !doomed.contains(name)) continue;
    const std::string away = cat("pruned-", random_name(8));
    if (::renameat(state_->snapshots.get(), name.c_str(), session->dir.get(), away.c_str()) != 0) {
      throw_errno(cat("remove snapshot ", quoted(name)));
    }
    const DirFd tree(open_entry(session->dir, away, O_RDONLY | O_DIRECTORY));
    report.bytes += tree_bytes(tree);
    remove_tree(session->dir, away);
    ++report.snapshots;
  }
}

}  // namespace lade
