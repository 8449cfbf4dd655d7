#include <fcntl.h>
#include <sys/stat.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/io/path.h"
#include "libimage/layer/snapshot.h"
#include "libimage/storage/driver.h"

// vfs/dir/ID is the whole tree of the layer and all below it.
namespace lade {
namespace {

constexpr mode_t kRootMode = 0555;

class VfsDriver final : public GraphDriver {
 public:
  VfsDriver(DirFd home, StoreAccess access) : home_(std::move(home)) {
    // A store without layers may lack it.
    if (access == StoreAccess::write || stat_entry(home_, "dir")) {
      dirs_ = open_store_dir(home_, "dir", access);
    }
  }

  [[nodiscard]] const DirFd& home() const noexcept override { return home_; }
  [[nodiscard]] bool stores_changes() const noexcept override { return false; }

  [[nodiscard]] DirFd tree(const std::string& id) const override {
    return DirFd(open_entry(dirs_, id, O_RDONLY | O_DIRECTORY));
  }

  [[nodiscard]] std::vector<LayerEntry> changes(
      const std::string& id, const std::vector<PlacedLayer>& below) const override {
    const auto upper = std::make_shared<const DirFd>(tree(id));
    if (below.empty()) return diff({}, capture(*upper), DirFd(), upper);
    const DirFd lower = below.front().driver->tree(below.front().id);
    return diff(capture(lower), capture(*upper), lower, upper);
  }

  [[nodiscard]] StagedTree prepare(const DirFd& staging, const std::string& name) const override {
    if (::mkdirat(staging.get(), name.c_str(), 0700) != 0 ||
        ::fchmodat(staging.get(), name.c_str(), kRootMode, 0) != 0) {
      throw_errno("create the layer's directory");
    }
    return {.name = name, .root = DirFd(open_entry(staging, name, O_RDONLY | O_DIRECTORY))};
  }

  void place(const DirFd& staging, const StagedTree& tree, const std::string& id,
             const std::vector<PlacedLayer>& /*below*/) override {
    remove(id);
    if (::renameat(staging.get(), tree.name.c_str(), dirs_.get(), id.c_str()) != 0) {
      throw_errno(cat("give layer ", id, " its place"));
    }
  }

  void remove(const std::string& id) override { remove_tree(dirs_, id); }

 private:
  DirFd home_;
  DirFd dirs_;  // empty where a store that is read has none
};

}  // namespace

std::unique_ptr<GraphDriver> open_vfs(const DirFd& graph_root, StoreAccess access) {
  return std::make_unique<VfsDriver>(open_store_dir(graph_root, "vfs", access), access);
}

}  // namespace lade
