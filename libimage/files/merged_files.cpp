#include "libimage/files/merged_files.h"

#include <algorithm>

#include "libimage/base/error.h"
#include "libimage/base/text.h"

namespace lade::files {
namespace {

constexpr int kMaxLinks = 40;  // as the kernel has it (path_resolution(7))
constexpr std::uint32_t kImpliedMode = 0755;

std::vector<std::string> names_of(std::string_view path) {
  std::vector<std::string> names;
  for (const std::string_view name : split(path, '/')) {
    if (!name.empty() && name != ".") names.emplace_back(name);
  }
  std::reverse(names.begin(), names.end());  // the next is the last
  return names;
}

/// Goes on at a link in directory `here`: the names of its target come before those still to walk.
void follow(std::string_view target, PathId& here, std::vector<std::string>& names) {
  if (target.starts_with('/')) here = kRoot;
  const std::vector<std::string> more = names_of(target);
  names.insert(names.end(), more.begin(), more.end());
}

}  // namespace

MergedFiles::MergedFiles(FilePool& pool, Below below) : pool_(pool), below_(below) {
  grow();
  imply(kRoot);
  uncertain_ = false;
}

void MergedFiles::grow() {
  const std::size_t size = pool_.paths.size();
  if (shown_.size() >= size) return;
  shown_.resize(size);
  owner_.resize(size, RowRef::kNoLayer);
  if (partial()) flags_.resize(size);
}

const FileRow& MergedFiles::row(RowRef ref) const noexcept {
  return ref.layer == RowRef::kImplied ? implied_[ref.row] : layers_[ref.layer]->rows[ref.row];
}

const FileRow* MergedFiles::at(PathId path) const noexcept {
  const RowRef ref = ref_at(path);
  return ref.exists() ? &row(ref) : nullptr;
}

std::optional<std::uint32_t> MergedFiles::owner(PathId path) const noexcept {
  if (shown_[path].layer == RowRef::kImplied) return std::nullopt;
  return owner_[path];
}

std::vector<PathId> MergedFiles::children(PathId directory) const {
  std::vector<PathId> out;
  for (PathId id = pool_.paths.first_child(directory); id != kNoPath;
       id = pool_.paths.next_sibling(id)) {
    if (ref_at(id).exists()) out.push_back(id);
  }
  std::sort(out.begin(), out.end(),
            [this](PathId a, PathId b) { return pool_.paths.name(a) < pool_.paths.name(b); });
  return out;
}

void MergedFiles::set_shown(PathId path, RowRef ref) {
  shown_[path] = ref;
  owner_[path] = now_;
  if (observer_ != nullptr && ref.layer != RowRef::kImplied) observer_->shown(path, ref);
}

/// Takes the one name away, whatever it is.
void MergedFiles::hide(PathId path, MergeObserver::Why why) {
  const RowRef ref = shown_[path];
  if (!ref.exists()) return;
  shown_[path] = {};
  if (observer_ != nullptr && ref.layer != RowRef::kImplied) {
    observer_->hidden(path, ref, now_, why);
  }
}

/// Takes away what shows below `path`; with `keep_own` not what this layer has put there. True if
/// something stays.
bool MergedFiles::hide_below(PathId path, bool keep_own) {
  struct Step {
    PathId path;
    PathId next;  // child to look at
    bool stays;
  };
  std::vector<Step> stack = {{path, pool_.paths.first_child(path), false}};
  for (;;) {
    Step& step = stack.back();
    if (step.next != kNoPath) {
      const PathId child = step.next;
      step.next = pool_.paths.next_sibling(child);
      if (ref_at(child).exists()) {
        stack.push_back({child, pool_.paths.first_child(child), false});
      }
      continue;
    }
    const Step done = step;
    stack.pop_back();
    if (stack.empty()) return done.stays;
    const bool stays = done.stays || (keep_own && owner_[done.path] == now_);
    if (!stays) hide(done.path, MergeObserver::Why::deleted);
    stack.back().stays = stack.back().stays || stays;
  }
}

void MergedFiles::hide_tree(PathId path, bool keep_own) {
  if (!ref_at(path).exists()) return;
  const bool stays = hide_below(path, keep_own) || (keep_own && owner_[path] == now_);
  if (!stays) hide(path, MergeObserver::Why::deleted);
}

void MergedFiles::imply(PathId path) {
  FileRow row;
  row.path = path;
  row.kind = FileKind::directory;
  row.mode = kImpliedMode;
  implied_.push_back(row);
  set_shown(path, {RowRef::kImplied, static_cast<std::uint32_t>(implied_.size() - 1)});
}

/// True if what is not known of layers below cannot show `child` (which may be kNoPath) in
/// `parent`.
bool MergedFiles::is_gone(PathId parent, PathId child) const noexcept {
  if (!partial()) return true;
  if (child != kNoPath && child < flags_.size() && (flags_[child] & kGone) != 0) return true;
  for (PathId id = parent;; id = pool_.paths.parent(id)) {
    if (flags_[id] != 0) return true;
    if (id == kRoot) return false;
  }
}

bool MergedFiles::is_gone(std::string_view path) const {
  if (!partial()) return true;
  PathId here = kRoot;
  while (!path.empty()) {
    const std::size_t slash = std::min(path.find('/'), path.size());
    const PathId child = pool_.paths.find_child(here, path.substr(0, slash));
    path.remove_prefix(std::min(slash + 1, path.size()));
    if (child == kNoPath || path.empty()) return is_gone(here, child);
    const FileRow* const row = at(child);
    if (row != nullptr && row->kind != FileKind::directory) return true;
    here = child;
  }
  return true;
}

std::vector<PathId> MergedFiles::taken_away() const {
  std::vector<PathId> out;
  for (PathId id = 0; id < flags_.size(); ++id) {
    if ((flags_[id] & kGone) != 0 && !shown_[id].exists()) out.push_back(id);
  }
  return out;
}

/// The directory that the entry `literal` lies in, made where it is missing.
PathId MergedFiles::parent_of(PathId literal) {
  const PathId parent = literal == kRoot ? kRoot : pool_.paths.parent(literal);
  if (parent == last_literal_ && ref_at(last_parent_).exists() &&
      at(last_parent_)->kind == FileKind::directory) {
    return last_parent_;
  }
  const FileRow* const known = at(parent);
  const bool plain = known != nullptr && known->kind == FileKind::directory;
  last_parent_ = plain ? parent : make_directories(parent);
  last_literal_ = parent;
  return last_parent_;
}

PathId MergedFiles::make_directories(PathId literal) {
  std::vector<std::string> names = names_of(pool_.paths.path(literal));
  PathId here = kRoot;
  for (int links = 0; !names.empty();) {
    const std::string name = std::move(names.back());
    names.pop_back();
    if (name == "..") {
      if (here != kRoot) here = pool_.paths.parent(here);
      continue;
    }
    const PathId child = pool_.paths.child(here, name);
    grow();
    const FileRow* const row = at(child);
    if (row == nullptr) {
      // In layers below it may be a directory, or a link to one.
      if (!is_gone(here, child)) uncertain_ = true;
      imply(child);
      here = child;
    } else if (row->kind == FileKind::directory) {
      here = child;
    } else if (row->kind == FileKind::symlink) {
      if (++links > kMaxLinks) throw Error(Errc::invalid_content, "too many links on the way");
      follow(pool_.text(row->link), here, names);
    } else {
      throw Error(Errc::invalid_content,
                  cat(quoted(pool_.paths.path(child)), " is not a directory"));
    }
  }
  return here;
}

MergedFiles::Walked MergedFiles::resolve(std::string_view path, Last last) const {
  std::vector<std::string> names = names_of(path);
  PathId here = kRoot;
  for (int links = 0; !names.empty();) {
    const std::string name = std::move(names.back());
    names.pop_back();
    if (name == "..") {
      if (here != kRoot) here = pool_.paths.parent(here);
      continue;
    }
    const FileRow* const directory = at(here);
    if (directory->kind != FileKind::directory) return {};
    const PathId child = pool_.paths.find_child(here, name);
    const FileRow* const row = child == kNoPath ? nullptr : at(child);
    if (row == nullptr) return {.path = kNoPath, .certain = is_gone(here, child)};
    if (row->kind == FileKind::symlink && (!names.empty() || last == Last::follow)) {
      if (++links > kMaxLinks) {
        throw Error(Errc::invalid_content, cat(quoted(path), ": too many links on the way"));
      }
      follow(pool_.text(row->link), here, names);
    } else {
      here = child;
    }
  }
  return {.path = here, .certain = true};
}

MergedFiles::Found MergedFiles::find(std::string_view path, Last last) const {
  const Walked walked = resolve(path, last);
  bool certain = walked.certain && !uncertain_;
  // What a directory without an entry of its own is like, only the layers below know.
  if (partial() && walked.path != kNoPath && ref_at(walked.path).layer == RowRef::kImplied) {
    certain = false;
  }
  return {.path = walked.path, .certain = certain};
}

void MergedFiles::add_whiteout(const FileRow& row) {
  const bool opaque = row.kind == FileKind::opaque;
  const PathId literal = opaque || row.path == kRoot ? row.path : pool_.paths.parent(row.path);
  const Walked directory = resolve(pool_.paths.path(literal), Last::follow);
  if (directory.path == kNoPath) {
    if (partial() && !directory.certain) {
      uncertain_ = true;
      mark(row.path, opaque ? kOpaque : kGone);
    }
    return;
  }
  if (opaque) {
    hide_below(directory.path, true);
    mark(directory.path, kOpaque);
    return;
  }
  const PathId hidden = pool_.paths.child(directory.path, pool_.paths.name(row.path));
  grow();
  hide_tree(hidden, true);
  mark(hidden, kGone);
}

void MergedFiles::add_link(const FileRow& row, std::uint32_t index, PathId place) {
  const std::string target = pool_.paths.path(row.link);
  const Walked found = resolve(target, Last::keep);
  if (found.path == kNoPath) {
    if (!partial() || found.certain) {
      throw Error(Errc::invalid_content,
                  cat("hard link to ", quoted(target), ", which does not exist"));
    }
    uncertain_ = true;
    hide_below(place, false);
    set_shown(place, {now_, index});
    return;
  }
  if (found.path == place) return;
  const RowRef content = shown_[found.path];
  if (this->row(content).kind == FileKind::directory) {
    throw Error(Errc::invalid_content, cat("hard link to the directory ", quoted(target)));
  }
  hide_below(place, false);
  hide(place, MergeObserver::Why::replaced);
  set_shown(place, content);
}

void MergedFiles::add_row(const FileRow& row, std::uint32_t index) {
  if (row.kind == FileKind::whiteout || row.kind == FileKind::opaque) return add_whiteout(row);
  const PathId parent = parent_of(row.path);
  const PathId place =
      row.path == kRoot ? kRoot : pool_.paths.child(parent, pool_.paths.name(row.path));
  grow();
  if (row.kind == FileKind::hardlink) return add_link(row, index, place);
  const FileRow* const old = at(place);
  const bool merges =
      row.kind == FileKind::directory && (old == nullptr || old->kind == FileKind::directory);
  if (!merges) {
    hide_below(place, false);
    mark(place, kGone);  // a directory that a later layer puts here merges with nothing below
  }
  hide(place, MergeObserver::Why::replaced);
  set_shown(place, {now_, index});
}

void MergedFiles::add(const LayerFiles& layer, std::uint32_t number, MergeObserver* observer) {
  if (layers_.size() <= number) layers_.resize(number + 1);
  layers_[number] = &layer;
  now_ = number;
  observer_ = observer;
  last_literal_ = kNoPath;
  last_parent_ = kNoPath;
  grow();
  for (std::size_t i = 0; i < layer.rows.size(); ++i) {
    const FileRow& row = layer.rows[i];
    with_context(
        [&] { return cat("layer ", number + 1, ": ", quoted(pool_.paths.path(row.path))); },
        [&] { add_row(row, static_cast<std::uint32_t>(i)); });
  }
  observer_ = nullptr;
}

}  // namespace lade::files
