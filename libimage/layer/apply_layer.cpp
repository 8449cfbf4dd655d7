#include "libimage/layer/apply_layer.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/io/path.h"
#include "libimage/io/pipe.h"
#include "libimage/layer/entry_maker.h"
#include "libimage/layer/tree_cursor.h"
#include "libimage/layer/whiteout.h"

namespace lade {
namespace {

/// A clean path cut before its last component.
struct SplitPath {
  std::string parent;
  std::string name;  // "" if the path is the root
};

SplitPath split_last(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return {"", path};
  return {path.substr(0, slash), path.substr(slash + 1)};
}

void check_parent_names(std::string_view parent) {
  for (const std::string_view name : split(parent, '/')) {
    if (name.starts_with(kWhiteoutPrefix)) {
      throw Error(Errc::invalid_content, "an entry below a whiteout");
    }
  }
}

/// One layer being applied.
class LayerApplier {
 public:
  LayerApplier(const DirFd& root, const ApplyOptions& options)
      : options_(options),
        tree_(root,
              {.overlay = options.overlay_whiteouts,
               .lower = options.overlay_whiteouts ? options.lower : std::vector<const DirFd*>{},
               .rights = options.rights}),
        maker_(tree_, options) {}

  void apply(const TarEntry& entry, TarReader& content);
  void finish();

 private:
  void apply_to_root(const TarEntry& entry);
  void apply_file(const TarEntry& entry, const SplitPath& path, TarReader& content);
  void apply_link(const TarEntry& entry, const SplitPath& path);
  void apply_whiteout(const TarEntry& entry, const SplitPath& path);
  void hide_name(const SplitPath& hidden);
  void hide_name_in_overlay(const SplitPath& hidden);
  bool is_below(const TreeDirectory& dir, const std::string& name);
  void hide_content(const std::string& path);
  void hide_content_in_overlay(const TreeDirectory& dir);
  void hide_root_content();
  void prune(const TreeDirectory& dir);
  [[nodiscard]] Attributes wanted(const TarEntry& entry) const;

  const ApplyOptions& options_;
  TreeCursor tree_;
  EntryMaker maker_;
  bool root_opaque_ = false;  // overlay: at the end, when all names of this layer are there
  struct Below {              // the lower layers' directory that the last whiteout was in
    std::string path;
    LowerDirectory directory;
  };
  std::optional<Below> below_;  // for a row of whiteouts
};

Attributes LayerApplier::wanted(const TarEntry& entry) const {
  Attributes attributes = entry.attributes;
  if (options_.force_uid) attributes.uid = *options_.force_uid;
  if (options_.force_gid) attributes.gid = *options_.force_gid;
  return attributes;
}

void LayerApplier::apply(const TarEntry& entry, TarReader& content) {
  const std::string path = clean_path(entry.path);
  if (path.empty()) return apply_to_root(entry);
  const SplitPath place = split_last(path);
  if (options_.whiteouts) {
    if (is_aufs_metadata(path)) return;
    check_parent_names(place.parent);
    if (place.name.starts_with(kWhiteoutPrefix)) return apply_whiteout(entry, place);
  }
  below_.reset();
  if (entry.kind == LayerEntry::Kind::hardlink) return apply_link(entry, place);
  apply_file(entry, place, content);
}

void LayerApplier::apply_to_root(const TarEntry& entry) {
  if (entry.kind != LayerEntry::Kind::file || entry.attributes.type != FileType::directory) {
    throw Error(Errc::invalid_content, "the root directory cannot become something else");
  }
  tree_.leave();  // or it would put the old time back
  if (const std::optional<TreeDirectory> root = tree_.find("")) {
    maker_.set_directory(root->fd, wanted(entry));
  }
}

void LayerApplier::apply_file(const TarEntry& entry, const SplitPath& path, TarReader& content) {
  const Attributes& attributes = entry.attributes;
  if (attributes.type == FileType::character && attributes.device_major == 0 &&
      attributes.device_minor == 0) {
    throw Error(Errc::invalid_content, "character device 0:0 would be an overlayfs whiteout");
  }
  TreeDirectory& dir = tree_.enter(path.parent);
  tree_.made().insert(dir.key.child(path.name));
  maker_.make(dir, path.name, wanted(entry), content);
}

void LayerApplier::apply_link(const TarEntry& entry, const SplitPath& path) {
  const SplitPath target = split_last(clean_path(entry.link_to));
  if (target.name.empty()) {
    throw Error(Errc::invalid_content, "hard link to the root directory");
  }
  std::optional<TreeDirectory> from = tree_.find(target.parent);
  const bool here = from && stat_entry(from->fd, target.name);
  if (!here && !options_.lower.empty() && options_.overlay_whiteouts) {
    if (TreeDirectory* const dir = tree_.enter_lower(target.parent)) {
      if (const auto lower = tree_.lower_at(dir->path).find(target.name);
          lower && lower->file.entry.attributes.type != FileType::directory) {
        maker_.copy_up(*dir, target.name, *lower);
        from = tree_.find(target.parent);
      }
    }
  }
  if (!from) {
    throw Error(Errc::invalid_content,
                cat("hard link to ", quoted(entry.link_to), ", which does not exist"));
  }
  TreeDirectory& dir = tree_.enter(path.parent);
  tree_.made().insert(dir.key.child(path.name));
  maker_.link(dir, path.name, from->fd, target.name);
}

void LayerApplier::apply_whiteout(const TarEntry& entry, const SplitPath& path) {
  if (entry.kind == LayerEntry::Kind::file &&
      (entry.attributes.type != FileType::regular || entry.attributes.size != 0)) {
    throw Error(Errc::invalid_content, "a whiteout that is not an empty file");
  }
  if (path.name == kOpaqueName) return hide_content(path.parent);
  const std::string hidden = path.name.substr(kWhiteoutPrefix.size());
  if (hidden.empty() || hidden == "." || hidden == ".." || hidden.starts_with(kWhiteoutPrefix)) {
    throw Error(Errc::invalid_content, "a whiteout that names no file");
  }
  if (options_.overlay_whiteouts) {
    hide_name_in_overlay({path.parent, hidden});
  } else {
    hide_name({path.parent, hidden});
  }
}

void LayerApplier::hide_name(const SplitPath& hidden) {
  TreeDirectory* const dir = tree_.enter_existing(hidden.parent);
  if (dir == nullptr) return;
  if (!tree_.made().contains(dir->key.child(hidden.name))) {
    maker_.remove(*dir, hidden.name);
    return;
  }
  // This layer has made something of that name: only what lies below it from lower layers goes.
  TreeDirectory below{
      TreeCursor::open_subdirectory(dir->fd, hidden.name), {}, dir->key.child(hidden.name)};
  if (below.fd) prune(below);
}

void LayerApplier::hide_name_in_overlay(const SplitPath& hidden) {
  TreeDirectory* const dir = tree_.enter_lower(hidden.parent);
  if (dir == nullptr) return;
  const PathKey key = dir->key.child(hidden.name);
  if (tree_.made().contains(key)) {
    TreeDirectory own{TreeCursor::open_subdirectory(dir->fd, hidden.name), {}, key};
    if (own.fd) hide_content_in_overlay(own);
    return;
  }
  if (!is_below(*dir, hidden.name)) return;
  for (int tries = 0;; ++tries) {
    if (::mknodat(dir->fd.get(), hidden.name.c_str(), S_IFCHR, ::makedev(0, 0)) == 0) return;
    if (errno != EEXIST || tries == kReplaceAttempts) throw_errno("create whiteout");
    const std::optional<struct stat> old = stat_entry(dir->fd, hidden.name);
    if (old && is_whiteout_device(*old)) return;
    maker_.remove(*dir, hidden.name);
  }
}

/// True if lower layers show `name` in `dir`, or are not known. Where a directory has no lower one
/// the kernel lists a whiteout as a file that cannot be removed.
bool LayerApplier::is_below(const TreeDirectory& dir, const std::string& name) {
  if (options_.lower.empty()) return true;
  if (!below_ || below_->path != dir.path) below_ = Below{dir.path, tree_.lower_at(dir.path)};
  return below_->directory.find(name).has_value();
}

/// Whiteouts that this layer has put there before would show (see is_below()).
void LayerApplier::hide_content_in_overlay(const TreeDirectory& dir) {
  below_.reset();
  tree_.make_opaque(dir.fd, dir.key);
  prune(dir);
}

void LayerApplier::hide_content(const std::string& path) {
  if (!options_.overlay_whiteouts) {
    tree_.leave();
    if (const std::optional<TreeDirectory> dir = tree_.find(path)) prune(*dir);
  } else if (path.empty()) {
    root_opaque_ = true;
  } else {
    if (const TreeDirectory* const dir = tree_.enter_lower(path)) hide_content_in_overlay(*dir);
  }
}

/// overlayfs merges the roots of all layers whatever their marks: each name is hidden by itself.
void LayerApplier::hide_root_content() {
  for (const std::string& name : tree_.lower_at("").names()) {
    hide_name_in_overlay({"", name});
  }
}

/// Removes what this layer has not made; each directory keeps its mtime.
void LayerApplier::prune(const TreeDirectory& dir) {
  struct stat before {};
  if (::fstat(dir.fd.get(), &before) != 0) throw_errno("stat directory");
  for (const std::string& name : sorted_names(dir.fd)) {
    const PathKey key = dir.key.child(name);
    if (!tree_.made().contains(key)) {
      maker_.remove(dir, name);
    } else if (TreeDirectory below{TreeCursor::open_subdirectory(dir.fd, name), {}, key};
               below.fd) {
      prune(below);
    }
  }
  set_mtime(dir.fd.get(),
            {before.st_mtim.tv_sec, static_cast<std::uint32_t>(before.st_mtim.tv_nsec)});
}

void LayerApplier::finish() {
  if (root_opaque_) hide_root_content();
  tree_.leave();
  maker_.finish();
}

}  // namespace

ApplyResult apply_layer(const DirFd& root, Source& tar, const ApplyOptions& options) {
  // Decompressing and hashing run on a thread of their own, ahead of the tree.
  auto hashing = std::make_unique<HashingSource>(tar);
  const HashingSource& hashed = *hashing;
  ReadAheadSource ahead(std::move(hashing));
  TarReader reader(ahead, options.limits);
  LayerApplier applier(root, options);
  std::uint64_t entries = 0;
  while (const std::optional<TarEntry> entry = reader.next()) {
    with_context([&] { return quoted(entry->path); }, [&] { applier.apply(*entry, reader); });
    ++entries;
  }
  applier.finish();
  reader.drain_rest();  // padding and whatever follows belong to the diff ID
  return {DiffId{hashed.digest()}, hashed.bytes(), entries};
}

}  // namespace lade
