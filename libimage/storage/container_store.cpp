#include "libimage/storage/container_store.h"

#include <unistd.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/storage/assembled_source.h"
#include "libimage/storage/written_source.h"

namespace lade {
namespace {

/// Runs `body`; says whose store it is, and of a store that the caller may not touch what is
/// needed.
template <typename Body>
decltype(auto) about_store(const std::string& path, const Body& body) {
  try {
    return body();
  } catch (const Error& e) {
    const Error named = e.in(cat("container storage ", quoted(path)));
    if (e.code() != Errc::denied || ::geteuid() == 0) throw named;
    throw Error(Errc::denied, cat(named.what(),
                                  " (a rootless store belongs to a user namespace: run this in "
                                  "'podman unshare' or 'buildah unshare')"));
  }
}

}  // namespace

ContainerStore::ContainerStore(StoreLocation location, StoreAccess access, std::stop_token stop)
    : location_(std::move(location)), stop_(std::move(stop)) {
  about_store(location_.graph_root, [&] {
    if (access == StoreAccess::write && ::geteuid() != 0 && !location_.ignore_chown_errors) {
      throw Error(Errc::denied, "layers hold files of several owners, which only root can make");
    }
    roots_.push_back(
        std::make_unique<GraphRoot>(location_.graph_root, location_.driver, access, stop_));
  });
  for (const std::string& path : location_.image_stores) {
    about_store(path, [&] {
      roots_.push_back(
          std::make_unique<GraphRoot>(path, root().driver_name(), StoreAccess::read, stop_));
    });
  }
}

std::string ContainerStore::stamps(const std::vector<StoreLock>& locks) const {
  std::string out;
  for (const StoreLock& lock : locks) out += cat(lock.stamp(), ";");
  return out;
}

std::shared_ptr<const StoreView> ContainerStore::view() {
  const std::scoped_lock guard(mutex_);
  return about_store(location_.graph_root, [&] {
    std::vector<StoreLock> locks;
    for (const auto& root : roots_) {
      locks.push_back(root->lock_layers(StoreLock::Mode::shared, stop_));
      locks.push_back(root->lock_images(StoreLock::Mode::shared, stop_));
    }
    std::string now = stamps(locks);
    // Stores that nobody has stamped tell nothing of changes.
    if (view_ && now == stamps_ && now.size() > locks.size()) return view_;
    auto fresh = std::make_shared<StoreView>();
    for (const auto& root : roots_) {
      for (LayerRecord& layer : root->read_layers()) fresh->add(std::move(layer), *root);
      for (ImageRecord& image : root->read_images()) fresh->add(std::move(image), *root);
    }
    stamps_ = std::move(now);
    view_ = std::move(fresh);
    return view_;
  });
}

void ContainerStore::read_additional(StoreView& view) const {
  for (std::size_t i = 1; i < roots_.size(); ++i) {
    const GraphRoot& root = *roots_[i];
    const StoreLock layers = root.lock_layers(StoreLock::Mode::shared, stop_);
    const StoreLock images = root.lock_images(StoreLock::Mode::shared, stop_);
    for (LayerRecord& layer : root.read_layers()) view.add(std::move(layer), root);
    for (ImageRecord& image : root.read_images()) view.add(std::move(image), root);
  }
}

std::unique_ptr<Source> ContainerStore::open_layer(const StoreView& view,
                                                   const KnownLayer& layer) const {
  return about_store(layer.root->path(), [&]() -> std::unique_ptr<Source> {
    const GraphDriver& driver = layer.root->driver();
    if (std::unique_ptr<Source> split = layer.root->open_tar_split(layer.record.id)) {
      return std::make_unique<AssembledSource>(std::move(split),
                                               TreeFiles(driver.tree(layer.record.id)));
    }
    std::vector<const KnownLayer*> below = view.chain(layer);
    below.erase(below.begin());
    return std::make_unique<WrittenSource>(driver.changes(layer.record.id, placed(below)));
  });
}

}  // namespace lade
