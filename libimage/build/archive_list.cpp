#include "libimage/build/archive_list.h"

#include <algorithm>

#include <unistd.h>

#include "libimage/base/text.h"
#include "libimage/io/path.h"
#include "libimage/layer/apply_layer.h"

namespace lade::build {
namespace {

constexpr std::size_t kMaxName = 255;                        // NAME_MAX
constexpr std::size_t kMaxPath = 2048;                       // what the rest can open at once
constexpr std::int64_t kMaxSeconds = std::int64_t{1} << 31;  // every file system keeps these

/// A spelling of which clean_path() gives what unpacking would make.
bool is_plain_path(std::string_view path) {
  if (path.size() > kMaxPath) return false;
  const auto parts = split(path, '/');
  return std::all_of(parts.begin(), parts.end(),
                     [](std::string_view part) { return part != ".." && part.size() <= kMaxName; });
}

class Lister {
 public:
  Lister(const std::optional<Owner>& owner, std::uint64_t device)
      : owner_(owner), device_(device) {}

  /// False: give up.
  bool add(const TarEntry& entry, const TarReader& reader) {
    if (!is_plain_path(entry.path)) return false;
    const std::string path = clean_path(entry.path);
    const bool is_link = entry.kind == LayerEntry::Kind::hardlink;
    if (!is_link && entry.kind != LayerEntry::Kind::file) return false;
    SnapshotEntry found{.attributes = entry.attributes, .inode = {.device = device_}};
    if (!is_plain(found.attributes) || reader.facts().sparse) return false;
    if (path.empty()) return found.attributes.type == FileType::directory && !is_link;
    if (!has_parent(path)) return false;
    if (is_link) return add_link(path, entry, found.attributes);
    found.inode.number = ++inodes_;
    own(found.attributes);
    if (found.attributes.type == FileType::regular) out_.offsets.emplace(path, reader.position());
    return out_.snapshot.emplace(path, std::move(found)).second;
  }

  ArchiveList take() { return std::move(out_); }

 private:
  static bool is_plain(Attributes& attributes) {
    const FileType type = attributes.type;
    if (type == FileType::symlink) attributes.mode = 0777;
    return (type == FileType::regular || type == FileType::directory ||
            type == FileType::symlink) &&
           attributes.xattrs.empty() && attributes.mtime.seconds >= 0 &&
           attributes.mtime.seconds < kMaxSeconds;
  }

  void own(Attributes& attributes) const {
    if (!owner_) return;
    attributes.uid = owner_->uid;
    attributes.gid = owner_->gid;
  }

  bool has_parent(const std::string& path) const {
    const std::size_t slash = path.rfind('/');
    if (slash == std::string::npos) return true;
    const auto parent = out_.snapshot.find(path.substr(0, slash));
    return parent != out_.snapshot.end() && parent->second.attributes.type == FileType::directory;
  }

  /// Another name of a file that is here: what the header says of it beside that must be the same.
  bool add_link(const std::string& path, const TarEntry& entry, Attributes attributes) {
    if (!is_plain_path(entry.link_to)) return false;
    const auto target = out_.snapshot.find(clean_path(entry.link_to));
    if (target == out_.snapshot.end()) return false;
    const Attributes& real = target->second.attributes;
    if (real.type != FileType::regular) return false;
    own(attributes);
    attributes.size = real.size;
    if (attributes != real) return false;
    target->second.inode.links = 2;
    const auto offset = out_.offsets.find(target->first);
    out_.offsets.emplace(path, offset->second);
    return out_.snapshot.emplace(path, target->second).second;
  }

  const std::optional<Owner>& owner_;
  const std::uint64_t device_;
  std::uint64_t inodes_ = 0;
  ArchiveList out_;
};

}  // namespace

std::optional<ArchiveList> list_archive(Source& tar, const std::optional<Owner>& owner,
                                        std::uint64_t device) {
  if (::geteuid() != 0) return std::nullopt;
  TarReader reader(tar);
  Lister lister(owner, device);
  while (const std::optional<TarEntry> entry = reader.next()) {
    if (!lister.add(*entry, reader)) return std::nullopt;
  }
  reader.drain_rest();
  return lister.take();
}

}  // namespace lade::build
