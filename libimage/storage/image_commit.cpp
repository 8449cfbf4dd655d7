#include "libimage/storage/image_commit.h"

#include "libimage/base/error.h"
#include "libimage/base/text.h"

namespace lade {
namespace {

/// One image's layers on their way to their places.
class LayerCommit {
 public:
  LayerCommit(ContainerStore& store, StagingDir& staging, std::vector<AvailableLayer>& layers,
              const std::vector<DiffId>& diff_ids)
      : store_(store), staging_(staging), layers_(layers), diff_ids_(diff_ids) {}

  std::string run() {
    std::string parent;
    for (std::size_t i = 0; i < layers_.size(); ++i) {
      if (store_.stop().stop_requested()) throw Cancelled();
      parent = with_context([&] { return cat("layer ", layers_[i].blob.digest.str()); },
                            [&] { return commit(layers_[i], diff_ids_[i], parent); });
    }
    return parent;
  }

 private:
  std::string commit(AvailableLayer& layer, const DiffId& diff_id, const std::string& parent) {
    check_diff_id(layer.diff_id, diff_id);
    std::string id = layer_id(parent, diff_id);
    if (store_.view()->layer(id) != nullptr) return id;
    // Outside of the lock: this is the long part.
    const std::shared_ptr<StagedLayer> staged = staged_form(layer, parent);
    check_diff_id(staged->diff_id, diff_id);
    StoreUpdate update(store_);
    if (update.view().layer(id) == nullptr) place(update, *staged, layer, id, parent);
    return id;
  }

  static void check_diff_id(const std::optional<DiffId>& have, const DiffId& want) {
    if (!have || *have == want) return;
    throw Error(Errc::digest_mismatch,
                cat("its content is ", have->value.str(), ", the config says ", want.value.str()));
  }

  std::shared_ptr<StagedLayer> staged_form(AvailableLayer& layer, const std::string& parent) {
    if (layer.staged) return std::exchange(layer.staged, nullptr);
    std::optional<DirFd> below;
    if (!store_.root().driver().stores_changes() && !parent.empty()) {
      const std::shared_ptr<const StoreView> view = store_.view();
      const KnownLayer* const found = view->layer(parent);
      if (found == nullptr) throw_vanished(parent);
      below.emplace(found->root->driver().tree(parent));
    }
    return std::make_shared<StagedLayer>(stage_layer(open(layer), store_.root().driver(),
                                                     store_.location(), staging_,
                                                     below ? &*below : nullptr));
  }

  /// A layer that was placed once in this image is in the store under another parent.
  [[nodiscard]] std::unique_ptr<Source> open(const AvailableLayer& layer) const {
    if (layer.open) return layer.open();
    throw Error(Errc::not_found, "it is neither here nor in container storage");
  }

  void place(StoreUpdate& update, const StagedLayer& staged, const AvailableLayer& layer,
             const std::string& id, const std::string& parent) {
    std::vector<PlacedLayer> below;
    if (!parent.empty()) {
      const KnownLayer* const found = update.view().layer(parent);
      if (found == nullptr) throw_vanished(parent);
      below = placed(update.view().chain(*found));
    }
    GraphRoot& root = store_.root();
    update.add_layer(record_of(staged, id, parent, layer.blob.digest, layer.blob.size), [&] {
      root.driver().place(staging_.dir(), staged.tree, id, below);
      root.place_tar_split(staging_.dir(), staged.split_name, id);
    });
  }

  [[noreturn]] static void throw_vanished(const std::string& id) {
    throw Error(Errc::unavailable, cat("layer ", id, " was removed meanwhile"));
  }

  ContainerStore& store_;
  StagingDir& staging_;
  std::vector<AvailableLayer>& layers_;
  const std::vector<DiffId>& diff_ids_;
};

}  // namespace

std::string commit_layers(ContainerStore& store, StagingDir& staging,
                          std::vector<AvailableLayer>& layers,
                          const std::vector<DiffId>& diff_ids) {
  if (layers.size() != diff_ids.size()) {
    throw Error(Errc::invalid_content,
                cat("the manifest has ", layers.size(), " layers, its config ", diff_ids.size()));
  }
  return LayerCommit(store, staging, layers, diff_ids).run();
}

}  // namespace lade
