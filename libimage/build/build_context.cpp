#include "libimage/build/build_context.h"

#include <algorithm>
#include <cerrno>

#include <dirent.h>
#include <fcntl.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/io/path.h"
#include "libimage/io/xattr_names.h"
#include "libimage/task/run_graph.h"

namespace lade::build {

bool is_copied_xattr(std::string_view name) noexcept {
  return name == "security.capability" || name.starts_with("user.");
}

namespace {

constexpr int kMaxLinks = 255;           // as the kernel's own order of magnitude (ELOOP)
constexpr std::size_t kMaxDepth = 1000;  // of directories below the context

/// Names of the attributes that COPY keeps of the entry `name` of the directory `dir`.
std::vector<std::string> copied_xattrs(int dir, const char* name) {
  // Most files have none; and for a buffer the kernel would allocate as much as we offer.
  if (list_xattr_names(dir, name, nullptr, 0) <= 0) return {};  // also ENOTSUP
  std::vector<char> names(65536);  // the kernel's own limit (XATTR_LIST_MAX)
  const ssize_t got = list_xattr_names(dir, name, names.data(), names.size());
  std::vector<std::string> out;
  if (got <= 0) return out;
  for (const std::string_view found :
       split(std::string_view(names.data(), static_cast<std::size_t>(got) - 1), '\0')) {
    if (is_copied_xattr(found)) out.emplace_back(found);
  }
  return out;
}

struct CloseDir {
  void operator()(DIR* dir) const noexcept { ::closedir(dir); }
};

std::string joined(const std::string& directory, std::string_view name) {
  return directory.empty() ? std::string(name) : cat(directory, "/", name);
}

std::string read_link(const DirFd& root, const std::string& path) {
  const UniqueFd fd = open_in_root(root, path, O_PATH | O_NOFOLLOW);
  std::string target(4096, '\0');
  const ssize_t got = ::readlinkat(fd.get(), "", target.data(), target.size());
  if (got < 0) throw_errno(cat("read link ", quoted(path)));
  target.resize(static_cast<std::size_t>(got));
  return target;
}

}  // namespace

/// Some 150 bytes a file: a context of a hundred thousand files stays small.
struct BuildContext::Node {
  struct Below {
    std::vector<Node> children = {};  // sorted by name
    IgnoreList::Matched matched = {};
    bool loaded = false;
  };

  Node(std::string_view called, const struct stat& status)
      : name(called),
        stamp(stamp_of(status)),
        mode(status.st_mode),
        links(static_cast<std::uint32_t>(std::min<nlink_t>(status.st_nlink, 2))),
        device(status.st_rdev),
        is_roots(status.st_uid == 0 && status.st_gid == 0),
        below(S_ISDIR(status.st_mode) ? std::make_unique<Below>() : nullptr) {}

  std::string name;
  FileStamp stamp;
  mode_t mode;
  std::uint32_t links;  // 2: several
  dev_t device;
  bool is_roots;                 // belongs to 0:0
  std::unique_ptr<Below> below;  // of directories
  Sha256 sha = {};
  bool hidden = false;      // ignored, but something below may be included again
  bool has_xattrs = false;  // some that COPY keeps
  bool has_digest = false;
  bool is_new_digest = false;  // not in the store's file
};

BuildContext::BuildContext(DirFd root, IgnoreList ignore, std::string ignored_by,
                           ContentDigests* digests)
    : root_(std::make_shared<const DirFd>(std::move(root))),
      ignore_(std::move(ignore)),
      ignored_by_(std::move(ignored_by)),
      digests_(digests),
      opened_(system_now()) {
  struct stat status {};
  if (::fstat(root_->get(), &status) != 0) throw_errno("stat the build context");
  top_ = std::make_unique<Node>("", status);
}

BuildContext::~BuildContext() = default;

void BuildContext::load(Node& directory, const std::string& path) {
  Node::Below& below = *directory.below;
  if (below.loaded) return;
  if (std::count(path.begin(), path.end(), '/') > static_cast<std::ptrdiff_t>(kMaxDepth))
    throw Error(Errc::limit_exceeded, cat("the build context is deeper than ", kMaxDepth,
                                          " directories at ", quoted(path.substr(0, 80))));
  // The path has no links: it was built from names that were read, and O_NOFOLLOW guards the last.
  UniqueFd fd = open_in_root(*root_, path.empty() ? "." : path,
                             O_RDONLY | O_DIRECTORY | (path.empty() ? 0 : O_NOFOLLOW));
  const int number = fd.get();
  const std::unique_ptr<DIR, CloseDir> entries(::fdopendir(fd.get()));
  if (!entries) throw_errno(cat("read directory ", quoted(path)));
  (void)fd.release();  // the DIR has it now
  for (errno = 0; const dirent* entry = ::readdir(entries.get()); errno = 0) {
    const std::string_view name = entry->d_name;
    if (name == "." || name == "..") continue;
    struct stat status {};
    if (::fstatat(number, entry->d_name, &status, AT_SYMLINK_NOFOLLOW) != 0) {
      if (errno == ENOENT) continue;  // removed meanwhile
      throw_errno(cat("stat ", quoted(joined(path, name))));
    }
    if (S_ISSOCK(status.st_mode)) continue;
    Node node(name, status);
    if (!ignore_.empty()) {
      IgnoreList::Verdict verdict = ignore_.judge(joined(path, name), below.matched);
      const bool directory_to_search = node.below && ignore_.may_include_again();
      if (verdict.ignored && !directory_to_search) continue;
      node.hidden = verdict.ignored;
      if (node.below) node.below->matched = std::move(verdict.matched);
    }
    node.has_xattrs = !copied_xattrs(number, entry->d_name).empty();
    below.children.push_back(std::move(node));
  }
  if (errno != 0) throw_errno(cat("read directory ", quoted(path)));
  std::sort(below.children.begin(), below.children.end(),
            [](const Node& a, const Node& b) { return a.name < b.name; });
  below.children.shrink_to_fit();
  below.loaded = true;
  // A hidden directory shows only if something below it does.
  std::erase_if(below.children, [&](Node& child) {
    if (!child.hidden) return false;
    load(child, joined(path, child.name));
    return child.below->children.empty();
  });
}

BuildContext::Node* BuildContext::find(const std::string& path) {
  Node* node = top_.get();
  if (path.empty()) return node;
  std::size_t start = 0;
  while (start <= path.size()) {
    if (!node->below) return nullptr;
    load(*node, start == 0 ? std::string() : path.substr(0, start - 1));
    const std::size_t end = std::min(path.find('/', start), path.size());
    const std::string_view name(path.data() + start, end - start);
    const auto child =
        std::lower_bound(node->below->children.begin(), node->below->children.end(), name,
                         [](const Node& a, std::string_view wanted) { return a.name < wanted; });
    if (child == node->below->children.end() || child->name != name) return nullptr;
    node = &*child;
    start = end + 1;
  }
  return node;
}

BuildContext::Node& BuildContext::required(const std::string& path) {
  Node* node = find(path);
  if (node == nullptr)
    throw Error(Errc::not_found, cat(quoted(path), " is not in the build context"));
  return *node;
}

void BuildContext::read_xattrs(const std::string& path, Attributes& out) {
  const ParentAndName place = open_parent_in_root(*root_, path);
  const UniqueFd fd = open_in_root(*root_, path, O_PATH | O_NOFOLLOW);
  const std::string file = proc_path(fd.get());
  for (const std::string& name : copied_xattrs(place.parent.get(), place.name.c_str())) {
    std::string value(65536, '\0');  // the kernel's own limit (XATTR_SIZE_MAX)
    const ssize_t size = ::getxattr(file.c_str(), name.c_str(), value.data(), value.size());
    if (size < 0) continue;  // removed meanwhile
    value.resize(static_cast<std::size_t>(size));
    out.xattrs.emplace(name, std::move(value));
  }
}

std::optional<Attributes> BuildContext::lookup(const std::string& path) {
  const std::scoped_lock lock(mutex_);
  const Node* node = find(path);
  if (node == nullptr) return std::nullopt;
  return attributes_of(*node, path);
}

Attributes BuildContext::attributes_of(const Node& node, const std::string& path) {
  const mode_t mode = node.mode;
  Attributes out{.mode = static_cast<std::uint32_t>(mode & 07777U),
                 .mtime = {node.stamp.mtime_seconds, node.stamp.mtime_nanoseconds}};
  if (S_ISDIR(mode)) {
    out.type = FileType::directory;
  } else if (S_ISLNK(mode)) {
    out.type = FileType::symlink;
    out.mode = 0777;
    out.link_target = read_link(*root_, path);
  } else if (S_ISREG(mode)) {
    out.size = node.stamp.size;
  } else if (S_ISFIFO(mode)) {
    out.type = FileType::fifo;
  } else {
    out.type = S_ISCHR(mode) ? FileType::character : FileType::block;
    out.device_major = ::major(node.device);
    out.device_minor = ::minor(node.device);
  }
  if (node.has_xattrs) read_xattrs(path, out);
  return out;
}

std::string BuildContext::resolve(const std::string& path) {
  const std::scoped_lock lock(mutex_);
  std::string done;
  std::string rest = clean_path(path);
  int links = 0;
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find('/'), rest.size());
    const std::string name = rest.substr(0, end);
    rest.erase(0, std::min(end + 1, rest.size()));
    if (name == "..") {
      const std::size_t slash = done.rfind('/');
      done.resize(slash == std::string::npos ? 0 : slash);
      continue;
    }
    if (name.empty() || name == ".") continue;
    const std::string next = joined(done, name);
    const Node* node = find(next);
    if (node == nullptr || !S_ISLNK(node->mode)) {
      done = next;
      continue;
    }
    if (++links > kMaxLinks)
      throw Error(Errc::invalid_content, cat("too many links in ", quoted(path)));
    const std::string target = read_link(*root_, next);
    if (target.starts_with('/')) done.clear();  // the context is the root
    rest = rest.empty() ? target : cat(target, "/", rest);
  }
  return done;
}

std::vector<std::string> BuildContext::list(const std::string& path) {
  const std::scoped_lock lock(mutex_);
  Node& node = required(path);
  if (!node.below) throw Error(Errc::invalid_argument, cat(quoted(path), " is not a directory"));
  load(node, path);
  std::vector<std::string> names;
  names.reserve(node.below->children.size());
  for (const Node& child : node.below->children) names.push_back(child.name);
  return names;
}

ContentRef BuildContext::content(const std::string& path) { return {.root = root_, .path = path}; }

FileIdentity BuildContext::identity(const std::string& path) {
  const std::scoped_lock lock(mutex_);
  return identity_of(required(path));
}

FileIdentity BuildContext::identity_of(const Node& node) noexcept {
  return {.device = node.stamp.device, .inode = node.stamp.inode, .links = node.links};
}

Sha256 BuildContext::digest(const std::string& path, const std::stop_token& stop) {
  prepare_digests({path}, 1, stop);
  const std::scoped_lock lock(mutex_);
  return required(path).sha;
}

void BuildContext::prepare_digests(const std::vector<std::string>& paths, unsigned jobs,
                                   const std::stop_token& stop) {
  std::vector<const std::string*> unknown;
  {
    const std::scoped_lock lock(mutex_);
    for (const std::string& path : paths) {
      Node& node = required(path);
      if (node.has_digest) continue;
      if (!take_known_digest(node)) unknown.push_back(&path);
    }
  }
  parallel_for(
      unknown.size(), jobs,
      [&](std::size_t i) {
        const ContentRef file = content(*unknown[i]);
        remember(file, hash_content(file, stop));
      },
      stop);
}

void BuildContext::prepare(const std::string& path, unsigned jobs, const std::stop_token& stop) {
  const std::scoped_lock lock(mutex_);
  Node* top = find(path);
  if (top == nullptr || !top->below) return;
  std::vector<Directory> level = {{top, path}};
  while (!level.empty()) {
    // Each thread has directories of its own; a loaded node never moves.
    parallel_for(
        level.size(), jobs, [&](std::size_t i) { load(*level[i].node, level[i].path); }, stop);
    std::vector<Directory> next;
    for (const Directory& directory : level) {
      for (Node& child : directory.node->below->children) {
        if (child.below) next.push_back({&child, joined(directory.path, child.name)});
      }
    }
    level = std::move(next);
  }
}

void BuildContext::walk(const std::string& path, const Attributes& attributes, unsigned jobs,
                        const std::stop_token& stop, const WalkVisit& visit) {
  if (attributes.type != FileType::directory) {
    SourceTree::walk(path, attributes, jobs, stop, visit);
    return;
  }
  prepare(path, jobs, stop);
  std::vector<std::string> unknown;
  {
    const std::scoped_lock lock(mutex_);
    find_digests(required(path), path, unknown);
  }
  prepare_digests(unknown, jobs, stop);
  const std::scoped_lock lock(mutex_);
  visit_all(required(path), path, stop, visit);
}

/// Adds the files below `directory` of which neither this nor an earlier build knows the digest.
void BuildContext::find_digests(Node& directory, const std::string& path,
                                std::vector<std::string>& unknown) {
  for (Node& child : directory.below->children) {
    if (child.below) {
      find_digests(child, joined(path, child.name), unknown);
    } else if (S_ISREG(child.mode) && !child.has_digest && !take_known_digest(child)) {
      unknown.push_back(joined(path, child.name));
    }
  }
}

bool BuildContext::take_known_digest(Node& file) {
  const auto known = digests_ != nullptr ? digests_->find(file.stamp) : std::nullopt;
  if (!known) return false;
  file.sha = *known;
  file.has_digest = true;
  return true;
}

void BuildContext::visit_all(const Node& node, const std::string& path, const std::stop_token& stop,
                             const WalkVisit& visit) {
  const Attributes attributes = attributes_of(node, path);
  if (S_ISREG(node.mode)) {
    visit({.path = path,
           .attributes = attributes,
           .content = &node.sha,
           .identity = identity_of(node)});
    return;
  }
  visit({.path = path, .attributes = attributes});
  if (!node.below) return;
  if (stop.stop_requested()) throw Cancelled();
  for (const Node& child : node.below->children)
    visit_all(child, joined(path, child.name), stop, visit);
}

void BuildContext::remember(const ContentRef& content, const Sha256& sha) {
  if (content.text || content.root != root_) return;
  const std::scoped_lock lock(mutex_);
  Node* node = find(content.path);
  if (node == nullptr || node->has_digest) return;
  node->sha = sha;
  node->has_digest = true;
  node->is_new_digest = ContentDigests::is_recordable(node->stamp, opened_);
}

void BuildContext::save_digests() noexcept {
  if (digests_ == nullptr) return;
  try {
    const std::scoped_lock lock(mutex_);
    std::vector<ContentDigests::Record> added;
    std::vector<const Node*> open = {top_.get()};
    while (!open.empty()) {
      const Node* node = open.back();
      open.pop_back();
      if (node->is_new_digest) added.push_back({.stamp = node->stamp, .sha = node->sha});
      if (!node->below) continue;
      for (const Node& child : node->below->children) open.push_back(&child);
    }
    digests_->save(std::move(added));
  } catch (const std::exception&) {  // only a cache: the build itself succeeded
  }
}

std::string BuildContext::why_hidden(const std::string& path) {
  if (ignore_.empty() || path.empty() || !ignore_.ignores(path)) return {};
  return cat("it is excluded by ", quoted(ignored_by_));
}

bool BuildContext::has_other_owners(const std::string& path) {
  const std::scoped_lock lock(mutex_);
  Node* top = find(path);
  if (top == nullptr) return false;
  std::vector<std::pair<Node*, std::string>> left = {{top, path}};
  while (!left.empty()) {
    const auto [node, name] = std::move(left.back());
    left.pop_back();
    if (!node->is_roots) return true;
    if (!node->below) continue;
    load(*node, name);
    for (Node& child : node->below->children) left.emplace_back(&child, joined(name, child.name));
  }
  return false;
}

const std::vector<std::string>& BuildContext::hidden() {
  const std::scoped_lock lock(hidden_mutex_);
  if (hidden_) return *hidden_;
  std::vector<std::string> out;
  std::vector<std::string> left;
  if (!ignore_.empty()) left.emplace_back();
  while (!left.empty()) {
    const std::string directory = std::move(left.back());
    left.pop_back();
    const std::vector<std::string> shown = list(directory);
    const DirFd dir(open_in_root(*root_, directory.empty() ? "." : directory,
                                 O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
    for (const std::string& name : list_names(dir)) {
      const std::string path = joined(directory, name);
      if (!std::binary_search(shown.begin(), shown.end(), name)) {
        out.push_back(path);
      } else if (const auto found = lookup(path); found && found->type == FileType::directory) {
        left.push_back(path);
      }
    }
  }
  return hidden_.emplace(std::move(out));
}

}  // namespace lade::build
