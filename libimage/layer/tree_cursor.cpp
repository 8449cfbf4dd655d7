#include "libimage/layer/tree_cursor.h"

#include <cerrno>
#include <climits>

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/io/path.h"

namespace lade {
namespace {

constexpr int kRetries = 128;            // openat2 answers EAGAIN while a rename races
constexpr int kMaxLinks = 40;            // the kernel's own limit on one path
constexpr std::size_t kMaxDepth = 1000;  // links may lead deeper than the entry's own path

Timestamp mtime_of(const DirFd& dir) {
  struct stat st {};
  if (::fstat(dir.get(), &st) != 0) throw_errno("stat directory");
  return {st.st_mtim.tv_sec, static_cast<std::uint32_t>(st.st_mtim.tv_nsec)};
}

/// The target of link `name`; nullopt if it is not a link (any more).
std::optional<std::string> try_read_link(const DirFd& dir, const std::string& name) {
  std::string target(PATH_MAX, '\0');
  const ssize_t got = ::readlinkat(dir.get(), name.c_str(), target.data(), target.size());
  if (got <= 0) return std::nullopt;
  target.resize(static_cast<std::size_t>(got));
  return target;
}

}  // namespace

/// One path being followed.
class TreeCursor::Walk {
 public:
  Walk(TreeCursor& tree, std::string_view path) : tree_(tree) {
    restart();
    push(path);
  }

  std::optional<TreeDirectory> run(Missing missing) {
    while (!pending_.empty()) {
      std::string name = std::move(pending_.back());
      pending_.pop_back();
      if (name == "..") {
        go_up();
      } else if (!step(name, missing)) {
        return std::nullopt;
      }
    }
    return std::move(at_);
  }

 private:
  void restart() { at_ = {duplicate(tree_.root_)}; }

  void push(std::string_view path) {
    const std::vector<std::string_view> components = split(path, '/');
    for (auto it = components.rbegin(); it != components.rend(); ++it) {
      if (!it->empty() && *it != ".") pending_.emplace_back(*it);
    }
    if (pending_.size() > kMaxDepth * 2) {
      throw Error(Errc::limit_exceeded, "links lead to a path of too many components");
    }
  }

  void go_up() {
    const std::size_t slash = at_.path.rfind('/');
    const std::string parent = slash == std::string::npos ? "" : at_.path.substr(0, slash);
    restart();
    if (parent.empty()) return;
    for (const std::string_view name : split(parent, '/')) {
      DirFd next = open_subdirectory(at_.fd, std::string(name));
      if (!next) throw_errno(cat("open directory ", quoted(parent)));
      descend(std::string(name), std::move(next));
    }
  }

  void descend(const std::string& name, DirFd next) {
    at_.fd = std::move(next);
    at_.path = at_.path.empty() ? name : cat(at_.path, "/", name);
    at_.key = at_.key.child(name);
  }

  void follow(std::string_view target) {
    if (++links_ > kMaxLinks) throw_errno("follow links", ELOOP);
    if (target.starts_with('/')) restart();
    push(target);
  }

  bool step(const std::string& name, Missing missing) {
    DirFd next = open_subdirectory(at_.fd, name);
    if (next) {
      descend(name, std::move(next));
      return true;
    }
    if (errno == ENOENT) return step_missing(name, missing);
    if (errno != ELOOP && errno != ENOTDIR) throw_errno(cat("open directory ", quoted(name)));
    if (const std::optional<std::string> target = try_read_link(at_.fd, name)) {
      follow(*target);
      return true;
    }
    return step_over_file(name, missing);
  }

  bool step_over_file(const std::string& name, Missing missing) {
    const std::optional<struct stat> st = stat_entry(at_.fd, name);
    if (!st || !tree_.options_.overlay || !is_whiteout_device(*st)) {
      if (missing != Missing::make) return false;
      throw_errno(cat("open directory ", quoted(name)), ENOTDIR);
    }
    if (missing != Missing::make) return false;
    // This layer removed what the lower ones have there, and puts something new below the name.
    const Timestamp mtime = mtime_of(at_.fd);
    if (::unlinkat(at_.fd.get(), name.c_str(), 0) != 0) throw_errno(cat("remove ", quoted(name)));
    make(name, nullptr);
    tree_.make_opaque(at_.fd, at_.key);
    restore_parent(mtime);
    return true;
  }

  bool step_missing(const std::string& name, Missing missing) {
    std::optional<LowerDirectory::Found> lower;
    if (!tree_.options_.lower.empty()) lower = tree_.lower_at(at_.path).find(name);
    if (lower) {
      const Attributes& found = lower->file.entry.attributes;
      if (found.type == FileType::symlink) {
        follow(found.link_target);
        return true;
      }
      if (found.type != FileType::directory) {
        if (missing != Missing::make) return false;
        throw_errno(cat("open directory ", quoted(name)), ENOTDIR);
      }
    }
    if (missing == Missing::report) return false;
    if (missing == Missing::make_as_below && !lower && !tree_.options_.lower.empty()) return false;
    const Timestamp mtime = mtime_of(at_.fd);
    make(name, lower ? &lower->file.entry.attributes : nullptr);
    restore_parent(mtime);
    return true;
  }

  /// Makes and enters the directory; parent_ keeps the one above.
  void make(const std::string& name, const Attributes* like) {
    if (::mkdirat(at_.fd.get(), name.c_str(), 0700) != 0 && errno != EEXIST) {
      throw_errno(cat("create directory ", quoted(name)));
    }
    DirFd made = open_subdirectory(at_.fd, name);
    if (!made) throw_errno(cat("open directory ", quoted(name)));
    Attributes attributes;  // with a fixed mtime: the same layer makes the same tree
    attributes.type = FileType::directory;
    attributes.mode = 0755;
    attributes.uid = ::geteuid();
    attributes.gid = ::getegid();
    set_node_attributes(made.get(), like != nullptr ? *like : attributes, tree_.options_.rights,
                        OldXattrs::none);
    parent_ = std::move(at_.fd);
    descend(name, std::move(made));
  }

  void restore_parent(const Timestamp& mtime) { tree_.restore_mtime(parent_, mtime); }

  TreeCursor& tree_;
  TreeDirectory at_;
  DirFd parent_;
  std::vector<std::string> pending_;  // last first
  int links_ = 0;
};

TreeCursor::TreeCursor(const DirFd& root, Options options)
    : root_(root), options_(std::move(options)) {}

TreeCursor::~TreeCursor() {
  try {
    leave();
  } catch (const std::exception&) {  // only while another error leaves: the tree is discarded
  }
}

DirFd TreeCursor::open_subdirectory(const DirFd& dir, const std::string& name) noexcept {
  open_how how{};
  how.flags = O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV;
  for (int attempt = 0;; ++attempt) {
    const long fd = ::syscall(SYS_openat2, dir.get(), name.c_str(), &how, sizeof how);
    if (fd >= 0) return DirFd(static_cast<int>(fd));
    if ((errno != EINTR && errno != EAGAIN) || attempt == kRetries) return DirFd();
  }
}

void TreeCursor::make_opaque(const DirFd& dir, PathKey key) {
  set_opaque(dir.get(), options_.rights);
  opaque_.insert(key);
}

LowerDirectory TreeCursor::lower_at(std::string_view path) const {
  LowerDirectory at(options_.lower);
  if (path.empty()) return at;
  PathKey key;
  for (const std::string_view name : split(path, '/')) {
    key = key.child(name);
    if (opaque_.contains(key)) return {};
    std::optional<LowerDirectory::Found> found = at.find(std::string(name));
    if (!found || !found->directory) return {};
    at = LowerDirectory(*found->directory);
  }
  return at;
}

std::optional<TreeDirectory> TreeCursor::walk(std::string_view path, Missing missing) {
  return Walk(*this, path).run(missing);
}

std::optional<TreeDirectory> TreeCursor::find(std::string_view path) {
  return walk(path, Missing::report);
}

TreeDirectory* TreeCursor::enter(std::string_view path, Missing missing) {
  if (current_ && !stale_ && path == asked_) return &*current_;
  leave();
  std::optional<TreeDirectory> found = walk(path, missing);
  if (!found) return nullptr;
  mtime_ = mtime_of(found->fd);
  asked_ = path;
  current_ = std::move(found);
  return &*current_;
}

TreeDirectory& TreeCursor::enter(std::string_view path) {
  TreeDirectory& entered = *enter(path, Missing::make);
  // Whiteouts must spare what this layer put below them.
  if (!entered.path.empty() && !made_.contains(entered.key)) {
    PathKey key;
    for (const std::string_view name : split(entered.path, '/')) {
      key = key.child(name);
      made_.insert(key);
    }
  }
  return entered;
}

TreeDirectory* TreeCursor::enter_existing(std::string_view path) {
  return enter(path, Missing::report);
}

TreeDirectory* TreeCursor::enter_lower(std::string_view path) {
  return enter(path, Missing::make_as_below);
}

void TreeCursor::leave() {
  stale_ = false;
  if (!current_) return;
  const TreeDirectory left = std::move(*current_);
  current_.reset();
  restore_mtime(left.fd, mtime_);
}

void TreeCursor::restore_mtime(const DirFd& dir, const Timestamp& mtime) const {
  try {
    set_mtime(dir.get(), mtime);
  } catch (const Error&) {
    if (sets_owners(options_.rights)) throw;  // else: a directory of another owner
  }
}

}  // namespace lade
