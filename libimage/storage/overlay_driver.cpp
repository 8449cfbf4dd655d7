#include <algorithm>
#include <cerrno>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/io/path.h"
#include "libimage/io/stream.h"
#include "libimage/layer/snapshot.h"
#include "libimage/storage/driver.h"

// overlay/ID holds `diff` (the layer's changes in overlayfs's form), `link` (a short name),
// `lower` (the short names of all layers below, as paths l/NAME), `work`, `merged`, and, in the
// lowest layer, `empty`; overlay/l/NAME is a link to ../ID/diff.
namespace lade {
namespace {

constexpr const char* kLinks = "l";
constexpr const char* kDiff = "diff";
constexpr const char* kLinkFile = "link";
constexpr const char* kLowerFile = "lower";
constexpr mode_t kRootMode = 0555;
constexpr std::size_t kLinkLength = 26;
constexpr std::uint64_t kMaxLinkBytes = 100;
constexpr std::uint64_t kMaxLowerBytes = 64 * 1024;
constexpr std::size_t kMaxLayers = 500;  // containers/storage's own limit

std::string short_name() {
  // 26 characters of base32; any of [a-z0-9] in upper case without 0, 1, 8 and 9 are those.
  std::string out;
  while (out.size() < kLinkLength) {
    for (const char c : random_name(kLinkLength)) {
      if (c == '0' || c == '1' || c == '8' || c == '9' || out.size() == kLinkLength) continue;
      out += c >= 'a' ? static_cast<char>(c - 'a' + 'A') : c;
    }
  }
  return out;
}

/// What a `link` file says, if it can be a name below overlay/l.
std::string checked_link(std::string text, const std::string& id) {
  const bool sound = !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
  });
  if (!sound) {
    throw Error(Errc::invalid_content, cat("layer ", id, ": its link file says ", quoted(text)));
  }
  return text;
}

void make_dir(const DirFd& parent, const char* name, mode_t mode) {
  if (::mkdirat(parent.get(), name, 0700) != 0) throw_errno(cat("create directory ", quoted(name)));
  // Not by the call above: the umask would count.
  if (::fchmodat(parent.get(), name, mode, 0) != 0) throw_errno(cat("set mode of ", quoted(name)));
}

void write_text(const DirFd& dir, const char* name, std::string_view text) {
  const UniqueFd fd = open_entry(dir, name, O_WRONLY | O_CREAT | O_EXCL, 0644);
  FdSink(fd.get(), quoted(name)).write(bytes_of(text));
}

class OverlayDriver final : public GraphDriver {
 public:
  OverlayDriver(DirFd home, StoreAccess access) : home_(std::move(home)) {
    if (access == StoreAccess::write) links_ = open_store_dir(home_, kLinks, access, 0755);
  }

  [[nodiscard]] const DirFd& home() const noexcept override { return home_; }
  [[nodiscard]] bool stores_changes() const noexcept override { return true; }

  [[nodiscard]] DirFd tree(const std::string& id) const override {
    const DirFd dir(open_entry(home_, id, O_RDONLY | O_DIRECTORY));
    if (stat_entry(dir, "composefs-data")) {
      throw Error(Errc::unsupported, "the layer is kept in composefs's form");
    }
    return DirFd(open_entry(dir, kDiff, O_RDONLY | O_DIRECTORY));
  }

  [[nodiscard]] std::vector<LayerEntry> changes(
      const std::string& id, const std::vector<PlacedLayer>& below) const override {
    std::vector<DirFd> trees;
    trees.reserve(below.size());
    for (const PlacedLayer& layer : below) trees.push_back(layer.driver->tree(layer.id));
    std::vector<const DirFd*> lower;
    for (const DirFd& each : trees) lower.push_back(&each);
    return changes_of_upper(std::make_shared<const DirFd>(tree(id)), lower);
  }

  [[nodiscard]] StagedTree prepare(const DirFd& staging, const std::string& name) const override {
    make_dir(staging, name.c_str(), 0700);
    const DirFd dir(open_entry(staging, name, O_RDONLY | O_DIRECTORY));
    make_dir(dir, kDiff, kRootMode);
    make_dir(dir, "work", 0700);
    make_dir(dir, "merged", 0700);
    return {.name = name, .root = DirFd(open_entry(dir, kDiff, O_RDONLY | O_DIRECTORY))};
  }

  void place(const DirFd& staging, const StagedTree& tree, const std::string& id,
             const std::vector<PlacedLayer>& below) override {
    if (below.size() >= kMaxLayers) {
      throw Error(Errc::limit_exceeded, cat("more than ", kMaxLayers, " layers"));
    }
    const DirFd dir(open_entry(staging, tree.name, O_RDONLY | O_DIRECTORY));
    const std::string link = short_name();
    if (below.empty()) {
      make_dir(dir, "empty", 0700);
    } else {
      write_text(dir, kLowerFile, lower_of(below.front()));
      if (!tree.has_root) take_root_attributes(tree.root, below.front());
    }
    write_text(dir, kLinkFile, link);
    remove(id);
    if (::renameat(staging.get(), tree.name.c_str(), home_.get(), id.c_str()) != 0) {
      throw_errno(cat("give layer ", id, " its place"));
    }
    // Behind the rename, so that whoever removes an incomplete layer finds the link's name.
    const std::string target = cat("../", id, "/", kDiff);
    if (::symlinkat(target.c_str(), links_.get(), link.c_str()) != 0) {
      throw_errno(cat("create link to layer ", id));
    }
  }

  void remove(const std::string& id) override {
    if (!stat_entry(home_, id)) return;
    const std::string link = link_of(id);
    if (!link.empty()) ::unlinkat(links_.get(), link.c_str(), 0);
    remove_tree(home_, id);
  }

 private:
  /// "" where the file is missing or holds no name.
  [[nodiscard]] std::string link_of(const std::string& id) const {
    try {
      const DirFd dir(open_entry(home_, id, O_RDONLY | O_DIRECTORY));
      return checked_link(read_file_at(dir, kLinkFile, kMaxLinkBytes), id);
    } catch (const Error&) {
      return {};
    }
  }

  /// The content of the `lower` file of a layer on top of `parent`.
  static std::string lower_of(const PlacedLayer& parent) {
    const DirFd dir(open_entry(parent.driver->home(), parent.id, O_RDONLY | O_DIRECTORY));
    std::string lower =
        cat("l/", checked_link(read_file_at(dir, kLinkFile, kMaxLinkBytes), parent.id));
    if (stat_entry(dir, kLowerFile))
      lower += cat(":", read_file_at(dir, kLowerFile, kMaxLowerBytes));
    return lower;
  }

  /// As the layer below has it, where the layer does not say.
  static void take_root_attributes(const DirFd& root, const PlacedLayer& parent) {
    struct stat st {};
    const DirFd below = parent.driver->tree(parent.id);
    if (::fstat(below.get(), &st) != 0 || ::fchmod(root.get(), st.st_mode & 07777U) != 0) {
      throw_errno("set mode of the root directory");
    }
    // Without the right to, it stays the caller's.
    if (::fchown(root.get(), st.st_uid, st.st_gid) != 0 && errno != EPERM) {
      throw_errno("set owner of the root directory");
    }
  }

  DirFd home_;
  DirFd links_;  // only to write
};

}  // namespace

std::unique_ptr<GraphDriver> open_overlay(const DirFd& graph_root, StoreAccess access) {
  return std::make_unique<OverlayDriver>(open_store_dir(graph_root, "overlay", access), access);
}

}  // namespace lade
