#include "libimage/local/cache.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <map>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/io/atomic_file.h"
#include "libimage/io/path.h"
#include "libimage/local/reached.h"
#include "libimage/local/session.h"
#include "libimage/local/step_record.h"

namespace lade {
namespace {

using Type = CacheEntry::Type;

constexpr std::size_t kMaxKept = 1000;
constexpr std::uint64_t kMaxMountId = 4096;

DirFd part(LocalStore& store, const std::string& name) {
  const DirFd root = open_dir(store.path());
  return DirFd(try_open_in_root(root, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
}

Timestamp modified(const struct stat& st) {
  return {st.st_mtim.tv_sec, static_cast<std::uint32_t>(st.st_mtim.tv_nsec)};
}

Timestamp last_use(const struct stat& st) {
  return std::max(modified(st),
                  Timestamp{st.st_atim.tv_sec, static_cast<std::uint32_t>(st.st_atim.tv_nsec)});
}

bool is_hex(std::string_view name) {
  return !name.empty() && name.find_first_not_of("0123456789abcdef-") == std::string_view::npos;
}

/// Calls `visit(name, stat)` for what is in a part of the store, temporary files left out.
template <typename Visit>
void for_each_in(const DirFd& dir, const Visit& visit) {
  if (!dir) return;
  for (const std::string& name : names_of(dir)) {
    const auto st = stat_entry(dir, name);
    if (st) visit(name, *st);
  }
}

void add_steps(LocalStore& store, const Reached& images, std::vector<CacheEntry>& out) {
  const DirFd dir = part(store, "steps");
  std::set<Digest> counted;
  for_each_in(dir, [&](const std::string& name, const struct stat& st) {
    if (!is_step_key(name)) return;
    const auto result = read_step(dir, name);
    const bool hidden = result && (is_step_key(result->note) ||  // another key of a listed step
                                   (!result->layer && result->note == kSeenNote));
    if (!result || hidden) return;
    CacheEntry entry{.type = Type::step,
                     .id = name,
                     .description = result->note,
                     .created = modified(st),
                     .used = last_use(st),
                     .file = name};
    if (result->layer) {
      entry.shared = images.blobs.contains(result->layer->digest);
      if (!entry.shared && counted.insert(result->layer->digest).second)
        entry.bytes = result->layer->size;
    }
    out.push_back(std::move(entry));
  });
}

void add_layers(LocalStore& store, const Reached& images, std::vector<CacheEntry>& out) {
  const DirFd dir = part(store, "snapshots");
  for_each_in(dir, [&](const std::string& name, const struct stat& st) {
    const DirFd tree(try_open_in_root(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
    if (!tree) return;
    const std::string chain = name.substr(0, name.find('.'));
    out.push_back(
        {.type = Type::layer,
         .id = chain,
         .description = name.ends_with(".whole") ? "whole tree" : "",
         .bytes = tree_bytes(tree),
         .created = modified(st),
         .used = last_use(st),
         .shared = std::any_of(images.chains.begin(), images.chains.end(),
                               [&](const ChainId& id) { return id.value.encoded() == chain; }),
         .file = name});
  });
}

void add_mounts(LocalStore& store, std::vector<CacheEntry>& out) {
  const DirFd dir = part(store, "mounts");
  for_each_in(dir, [&](const std::string& name, const struct stat& st) {
    const DirFd tree(try_open_in_root(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
    if (!tree || !is_hex(name)) return;
    CacheEntry entry{.type = Type::mount, .id = name, .bytes = tree_bytes(tree), .file = name};
    try {
      entry.description = read_file_at(tree, "id", kMaxMountId);
    } catch (const Error&) {  // listed by its digits alone
    }
    entry.created = modified(st);
    if (const auto fs = stat_entry(tree, "fs")) entry.used = std::max(last_use(*fs), modified(st));
    entry.in_use =
        !FileLock::try_lock(dir, cat(name, ".lock"), FileLock::Mode::exclusive).has_value();
    out.push_back(std::move(entry));
  });
}

void add_files(LocalStore& store, Type type, const std::string& directory,
               std::vector<CacheEntry>& out) {
  for_each_in(part(store, directory), [&](const std::string& name, const struct stat& st) {
    if (!S_ISREG(st.st_mode) || !is_hex(name)) return;
    out.push_back({.type = type,
                   .id = name,
                   .bytes = static_cast<std::uint64_t>(st.st_blocks) * 512,
                   .created = modified(st),
                   .used = last_use(st),
                   .file = name});
  });
}

void remove_oldest(const DirFd& dir, std::size_t count) {
  std::vector<std::pair<Timestamp, std::string>> files;
  for_each_in(dir, [&](const std::string& name, const struct stat& st) {
    files.emplace_back(modified(st), name);
  });
  if (files.size() < count) return;
  std::sort(files.begin(), files.end());
  for (std::size_t i = 0; i < count; ++i) ::unlinkat(dir.get(), files[i].second.c_str(), 0);
}

}  // namespace

void keep(LocalStore& store, const std::string& directory, const std::string& name,
          std::string_view text) {
  const DirFd dir = create_dir(cat(store.path(), "/", directory), 0700);
  AtomicFile file(dir, name, 0600);
  file.write(bytes_of(text));
  file.commit();
  // Names are digests, so one in 32 looks whether there are too many.
  const bool looks = name.front() == '0' || name.back() == '0';
  if (looks && names_of(dir).size() > kMaxKept) remove_oldest(dir, kMaxKept / 4);
}

std::optional<std::string> read_kept(LocalStore& store, const std::string& directory,
                                     const std::string& name, std::uint64_t limit) {
  const DirFd dir = part(store, directory);
  if (!dir) return std::nullopt;
  try {
    return read_file_at(dir, name, limit);
  } catch (const Error&) {  // absent, too large or torn: as good as none
    return std::nullopt;
  }
}

std::string_view to_string(CacheEntry::Type type) {
  constexpr std::array<std::string_view, 6> kNames = {"step",    "layer", "mount",
                                                      "context", "log",   "record"};
  return kNames[static_cast<std::size_t>(type)];
}

std::vector<CacheEntry> cache_entries(LocalStore& store) {
  Reached images;
  reach_names(store.images(), images);
  std::vector<CacheEntry> out;
  add_steps(store, images, out);
  add_layers(store, images, out);
  add_mounts(store, out);
  add_files(store, Type::context, "context-digests", out);
  add_files(store, Type::log, kLogsDir, out);
  add_files(store, Type::record, kRecordsDir, out);
  std::stable_sort(out.begin(), out.end(), [](const CacheEntry& a, const CacheEntry& b) {
    return a.type != b.type ? a.type < b.type : a.used > b.used;
  });
  return out;
}

std::string cache_mount_path(LocalStore& store, const CacheEntry& mount) {
  if (mount.type != Type::mount || !is_hex(mount.file))
    throw Error(Errc::not_found, cat(quoted(mount.id), " is no cache mount"));
  return cat(store.path(), "/mounts/", mount.file, "/fs");
}

}  // namespace lade
